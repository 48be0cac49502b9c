/** Tools of a request, and which of them may or must be called. */
import { type Fields, unknownValue } from "./fields.js";
import { invalidValue, unsupportedValue } from "./refused.js";

/** A function that a model may call. */
export interface FunctionTool {
  readonly name: string;
  readonly description?: string;
  /** JSON schema of its arguments. */
  readonly parameters: Readonly<Record<string, unknown>>;
}

export interface Tools {
  /** Those that the model sees. */
  readonly offered: readonly FunctionTool[];
  /** A call of one of these has to be the answer; see `forcedCall.ts`. */
  readonly forced?: readonly FunctionTool[];
  /** False: the first call is the only one that is passed on. */
  readonly isParallel: boolean;
}

/**
 * @param surface where chat completions nest a function's fields below `function`, responses have them beside the
 *   type
 */
export function toolsOf(request: Fields, surface: "chat" | "responses"): Tools {
  const functionOf = (fields: Fields): Fields =>
    surface === "chat" ? fields.requiredObject("function") : fields;
  const tools = (request.objects("tools") ?? []).map((tool) => functionTool(tool, functionOf));
  const isParallel = request.flag("parallel_tool_calls") ?? true;
  const choice = request.get("tool_choice");
  if (choice === undefined) return { offered: tools, isParallel };
  if (typeof choice === "string") return chosen(choice, tools, isParallel, request.at("tool_choice"));

  const fields = request.requiredObject("tool_choice");
  if (fields.oneOf("type", ["function", "allowed_tools"] as const) === "allowed_tools") {
    const allowed = fields.object("allowed_tools") ?? fields;
    const names = (allowed.objects("tools") ?? []).map((tool) => functionOf(tool).requiredText("name"));
    const left = tools.filter(({ name }) => names.includes(name));
    return chosen(allowed.text("mode") ?? "auto", left, isParallel, allowed.at("mode"));
  }
  const name = functionOf(fields).requiredText("name");
  const forced = tools.filter((tool) => tool.name === name);
  if (forced.length === 0) {
    throw invalidValue(request.at("tool_choice"), `the function '${name}' is not among the tools.`);
  }
  return { offered: [], forced, isParallel };
}

function chosen(mode: string, tools: readonly FunctionTool[], isParallel: boolean, path: string): Tools {
  switch (mode) {
    case "none":
      return { offered: [], isParallel };
    case "auto":
      return { offered: tools, isParallel };
    case "required":
      if (tools.length === 0) throw invalidValue(path, "'required' needs at least one tool.");
      return { offered: [], forced: tools, isParallel };
    default:
      throw unknownValue(mode, ["none", "auto", "required"], path);
  }
}

function functionTool(tool: Fields, functionOf: (tool: Fields) => Fields): FunctionTool {
  const type = tool.requiredText("type");
  if (type !== "function") {
    throw unsupportedValue(
      tool.at("type"),
      `A local model calls functions; there is no tool of type '${type}' here.`,
    );
  }
  const fields = functionOf(tool);
  return {
    name: fields.requiredText("name"),
    description: fields.text("description"),
    parameters: fields.object("parameters")?.values ?? { type: "object", properties: {} },
  };
}

/** As Ollama takes them. */
export function wireTools(tools: readonly FunctionTool[]): readonly unknown[] | undefined {
  return tools.length > 0 ? tools.map((tool) => ({ type: "function", function: tool })) : undefined;
}

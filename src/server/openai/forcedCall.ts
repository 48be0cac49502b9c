/**
 * `tool_choice` "required" or a named function: Ollama has no such field, and its own `/v1` ignores it. The answer
 * is bound to the arguments' JSON schema instead and passed on as a call, so that it cannot be anything else.
 */
import type { WireChunk, WireMessage } from "../../backend/wire.js";
import { newId } from "./identity.js";
import type { FunctionTool } from "./tools.js";

type Schema = Readonly<Record<string, unknown>>;

/** The schema that the answer is bound to: one function's arguments, or which function and its arguments. */
export function forcedFormat(tools: readonly FunctionTool[]): Schema {
  if (tools.length === 1) return tools[0]!.parameters;
  const definitions: Record<string, unknown> = {};
  const anyOf = tools.map(({ name, parameters }, index) => {
    const { $defs, ...schema } = parameters;
    // References lead from the root: definitions of all functions move there, under names of their own.
    for (const [key, value] of Object.entries(($defs ?? {}) as Schema)) {
      definitions[`${index}_${key}`] = moved(value, index);
    }
    const properties = { name: { const: name }, arguments: moved(schema, index) };
    return { type: "object", properties, required: ["name", "arguments"], additionalProperties: false };
  });
  return Object.keys(definitions).length > 0 ? { anyOf, $defs: definitions } : { anyOf };
}

function moved(schema: unknown, index: number): unknown {
  return JSON.parse(JSON.stringify(schema).replaceAll('"#/$defs/', `"#/$defs/${index}_`));
}

/** The messages with the functions described: a template that shows tools would lead the model to other forms. */
export function withFunctions(
  messages: readonly WireMessage[],
  tools: readonly FunctionTool[],
): readonly WireMessage[] {
  const form =
    tools.length === 1
      ? "with the arguments of a call of this function"
      : 'with the "name" of one of these functions and the "arguments" of a call of it';
  const description = `Answer with a JSON object ${form}:\n${tools.map((tool) => JSON.stringify(tool)).join("\n")}`;
  const [first, ...rest] = messages;
  if (first?.role !== "system") return [{ role: "system", content: description }, ...messages];
  return [{ ...first, content: `${first.content}\n\n${description}` }, ...rest];
}

/** The reply with its text made a call: at the end, when it is whole. */
export async function* asForcedCall(
  chunks: AsyncIterable<WireChunk>,
  tools: readonly FunctionTool[],
): AsyncGenerator<WireChunk> {
  let text = "";
  for await (const chunk of chunks) {
    const { content = "", ...message } = chunk.message ?? { role: "assistant" };
    text += content;
    const said = { ...message, content: "" };
    if (!chunk.done) yield { ...chunk, logprobs: undefined, message: said };
    else yield { ...chunk, logprobs: undefined, message: { ...said, tool_calls: [callOf(text, tools)] } };
  }
}

/** Arguments that were cut off by a limit stay text: OpenAI passes on what there is, too. */
function callOf(
  text: string,
  tools: readonly FunctionTool[],
): NonNullable<WireMessage["tool_calls"]>[number] {
  const id = newId("call_");
  const only = tools.length === 1 ? tools[0]!.name : undefined;
  const parsed = parsedObject(text);
  if (only !== undefined) return { id, function: { name: only, arguments: parsed ?? text } };
  const name = typeof parsed?.name === "string" ? parsed.name : tools[0]!.name;
  return { id, function: { name, arguments: parsed?.arguments ?? text } };
}

function parsedObject(text: string): Schema | null {
  try {
    const parsed: unknown = JSON.parse(text);
    return typeof parsed === "object" && parsed !== null ? (parsed as Schema) : null;
  } catch {
    return null;
  }
}

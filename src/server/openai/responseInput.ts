/** The input items of a response as Ollama's messages. */
import type { WireMessage } from "../../backend/wire.js";
import { contentOf, requiredContentOf } from "./content.js";
import { type Fields, missing, unknownValue } from "./fields.js";
import { argumentsOf } from "./messages.js";
import { emptyArray, unsupportedValue } from "./refused.js";
import { defined } from "./sampling.js";

const ROLES = ["system", "developer", "user", "assistant"] as const;

export function inputMessages(request: Fields): readonly WireMessage[] {
  const messages: WireMessage[] = [];
  const instructions = request.text("instructions");
  if (instructions) messages.push({ role: "system", content: instructions });

  const input = request.get("input");
  if (input === undefined) throw missing("input");
  if (typeof input === "string") return [...messages, { role: "user", content: input }];
  if (!Array.isArray(input)) throw request.wrongType("input", "one of a string or an array of objects");
  const names = new Map<string, string>();
  for (const item of request.objects("input")!) add(messages, item, names);
  // Ollama would take it for a preload and answer nothing.
  if (messages.length === 0) throw emptyArray("input");
  return messages;
}

/** What the model said in one turn comes as several items (reasoning, text, calls): they are one message again. */
function add(messages: WireMessage[], item: Fields, names: Map<string, string>): void {
  const type = item.text("type") ?? (item.has("role") ? "message" : item.requiredText("type"));
  switch (type) {
    case "message": {
      item.requiredText("role");
      const role = item.oneOf("role", ROLES)!;
      if (role === "assistant") said(messages, { ...contentOf(item) });
      else messages.push({ role: role === "developer" ? "system" : role, ...requiredContentOf(item) });
      return;
    }
    case "reasoning": {
      const texts = [...(item.objects("summary") ?? []), ...(item.objects("content") ?? [])];
      const thinking = texts.map((part) => part.requiredText("text")).join("\n");
      if (thinking !== "") said(messages, { thinking });
      return;
    }
    case "function_call": {
      const id = item.requiredText("call_id");
      const name = item.requiredText("name");
      names.set(id, name);
      said(messages, { tool_calls: [{ id, function: { name, arguments: argumentsOf(item) } }] });
      return;
    }
    case "function_call_output": {
      const id = item.requiredText("call_id");
      const content = contentOf(item, "output");
      messages.push(defined({ role: "tool", ...content, tool_call_id: id, tool_name: names.get(id) }));
      return;
    }
    case "item_reference":
      throw unsupportedValue(item.at("type"), "Responses are not stored here; send the item itself.");
    default:
      throw unknownValue(
        type,
        ["message", "reasoning", "function_call", "function_call_output"],
        item.at("type"),
      );
  }
}

function said(messages: WireMessage[], part: Partial<WireMessage>): void {
  const last = messages.at(-1);
  if (last?.role !== "assistant") {
    messages.push({ role: "assistant", content: "", ...part });
    return;
  }
  const lines = (one: string | undefined, other: string | undefined): string | undefined =>
    one && other ? `${one}\n${other}` : one || other;
  messages[messages.length - 1] = defined({
    ...last,
    content: lines(last.content, part.content) ?? "",
    thinking: lines(last.thinking, part.thinking),
    images: part.images ?? last.images,
    tool_calls: part.tool_calls ? [...(last.tool_calls ?? []), ...part.tool_calls] : last.tool_calls,
  });
}

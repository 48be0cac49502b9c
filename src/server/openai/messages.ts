/** Messages of chat completions as Ollama takes them. */
import type { WireMessage, WireToolCall } from "../../backend/wire.js";
import { contentOf, requiredContentOf } from "./content.js";
import { type Fields, missing } from "./fields.js";
import { emptyArray, invalidValue } from "./refused.js";
import { defined } from "./sampling.js";

const ROLES = ["system", "developer", "user", "assistant", "tool"] as const;

export function messagesOf(request: Fields): readonly WireMessage[] {
  const list = request.objects("messages");
  if (!list) throw missing(request.at("messages"));
  if (list.length === 0) throw emptyArray("messages");
  const names = new Map<string, string>();
  return list.map((message) => messageOf(message, names));
}

/** @param names functions by the id of their call, so that a result can name its own */
function messageOf(message: Fields, names: Map<string, string>): WireMessage {
  message.requiredText("role");
  const role = message.oneOf("role", ROLES)!;
  if (role === "tool") {
    const id = message.text("tool_call_id");
    const name = message.text("name") ?? (id === undefined ? undefined : names.get(id));
    return defined({ role, ...requiredContentOf(message), tool_call_id: id, tool_name: name });
  }
  if (role !== "assistant") {
    return { role: role === "developer" ? "system" : role, ...requiredContentOf(message) };
  }
  const calls = message.objects("tool_calls")?.map(toolCallOf);
  for (const { id, function: called } of calls ?? []) if (id !== undefined) names.set(id, called.name);
  return defined({
    role,
    ...contentOf(message),
    thinking: message.text("reasoning_content") ?? message.text("reasoning"),
    tool_calls: calls?.length ? calls : undefined,
  });
}

function toolCallOf(call: Fields): WireToolCall {
  const called = call.requiredObject("function");
  return defined({
    id: call.text("id"),
    function: { name: called.requiredText("name"), arguments: argumentsOf(called) },
  });
}

/** OpenAI has arguments as JSON text, Ollama as the object itself. */
export function argumentsOf(called: Fields): Readonly<Record<string, unknown>> {
  const text = called.text("arguments") ?? "";
  if (text.trim() === "") return {};
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed === "object" && parsed !== null && !Array.isArray(parsed)) {
      return parsed as Readonly<Record<string, unknown>>;
    }
  } catch {
    // Refused below, like JSON that is no object.
  }
  throw invalidValue(called.at("arguments"), "expected the JSON of an object.");
}

/**
 * Results of tools, each with the call that it is of. `@langchain/ollama` 1.3.0 sends their text alone: Ollama's
 * Gemma 4 then reads of a tool "unknown", Cohere's models of no call, and others go by the order.
 */
import { AIMessage, type BaseMessage, ToolMessage } from "@langchain/core/messages";
import type { WireMessage } from "../backend/wire.js";

/** The results that follow a reply in the order of its calls: some models (FunctionGemma) know them by nothing else. */
export function inCallOrder(messages: BaseMessage[]): BaseMessage[] {
  if (!messages.some(ToolMessage.isInstance)) return messages;
  const ordered: BaseMessage[] = [];
  for (let index = 0; index < messages.length; ) {
    const message = messages[index++]!;
    ordered.push(message);
    if (!AIMessage.isInstance(message)) continue;
    const end = messages.findIndex((next, place) => place >= index && !ToolMessage.isInstance(next));
    const results = messages.slice(index, end < 0 ? undefined : end) as ToolMessage[];
    ordered.push(...sorted(results, message));
    index += results.length;
  }
  return ordered;
}

/** Unchanged where a result is of no call of this reply. */
function sorted(results: ToolMessage[], { tool_calls: calls = [] }: AIMessage): ToolMessage[] {
  const place = ({ tool_call_id: of }: ToolMessage): number => calls.findIndex(({ id }) => id === of);
  return results.some((result) => place(result) < 0)
    ? results
    : results.toSorted((a, b) => place(a) - place(b));
}

/**
 * Adds `tool_name` and `tool_call_id`, which Ollama's renderers and templates read.
 *
 * @param wire what LangChain made of `messages`: of each result one message
 */
export function withToolNames(
  wire: readonly WireMessage[],
  messages: readonly BaseMessage[],
): readonly WireMessage[] {
  const names = new Map<string, string>();
  const results: Pick<WireMessage, "tool_name" | "tool_call_id">[] = [];
  for (const message of messages) {
    if (AIMessage.isInstance(message)) {
      for (const { id, name } of message.tool_calls ?? []) if (id) names.set(id, name);
    } else if (ToolMessage.isInstance(message)) {
      const { tool_call_id: id, name = names.get(id) } = message;
      results.push({ ...(name && { tool_name: name }), ...(id && { tool_call_id: id }) });
    }
  }
  if (results.length === 0) return wire;
  let next = 0;
  return wire.map((message) => (message.role === "tool" ? { ...message, ...results[next++] } : message));
}

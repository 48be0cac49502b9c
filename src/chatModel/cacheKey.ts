/** What a cached reply depends on. */
import { createHash } from "node:crypto";
import type { AIMessage, BaseMessage, ToolMessage } from "@langchain/core/messages";

/** Where and how fast a model runs changes no answer, so that cached replies survive another machine setup. */
export const WITHOUT_INFLUENCE: ReadonlySet<string> = new Set([
  "keep_alive",
  "num_batch",
  "num_gpu",
  "main_gpu",
  "num_thread",
  "numa",
  "low_vram",
  "use_mmap",
  "use_mlock",
]);

/** Request parameters that can change an answer: model, sampling, format, tools, think and an explicit window. */
export function answerParameters(parameters: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const { options, ...rest } = parameters;
  return Object.fromEntries(
    Object.entries({ ...rest, ...(options as object | undefined) }).filter(
      ([name, value]) => value !== undefined && !WITHOUT_INFLUENCE.has(name),
    ),
  );
}

/**
 * The same text for the same parameters, in any order.
 *
 * @example cacheKey({ b: 1, a: [true], c: undefined }) // 'a:[true],b:1'
 */
export function cacheKey(parameters: Readonly<Record<string, unknown>>): string {
  return Object.entries(parameters)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}:${JSON.stringify(value)}`)
    .sort()
    .join(",");
}

/** What a message's text can be mistaken for: the beginning of another one, or tool calls, whose ids keys leave out. */
const MISTAKABLE = /\n(?:Human|AI|System|Tool): |"tool_call"/;
/** Blocks whose ids are drawn anew for each reply. */
const CALLS = new Set(["tool_call", "tool_use"]);

/**
 * Hash of messages that LangChain's text of them does not show as they are; undefined when it does. That text has
 * no images, no borders between blocks and between messages, a name as if it were said, a foreign role as if it
 * were one of Ollama's, and tool calls as if they were written. Ids of tool calls are left out; a result counts with
 * the place of its call.
 */
export function unseenHash(messages: readonly BaseMessage[]): string | undefined {
  if (messages.every(isPlain)) return undefined;
  const calls = messages.flatMap((message) => (message as Partial<AIMessage>).tool_calls ?? []);
  const placeOf = (message: BaseMessage): number | null => {
    const { tool_call_id: of } = message as Partial<ToolMessage>;
    return of === undefined ? null : calls.findLastIndex(({ id }) => id === of);
  };
  const whole = messages.map((message) => [
    message.type,
    contentOf(message),
    callsOf(message),
    placeOf(message),
  ]);
  return createHash("sha256").update(JSON.stringify(whole)).digest("hex");
}

function isPlain(message: BaseMessage): boolean {
  const { content, name, type } = message;
  if (name !== undefined || type === "generic" || callsOf(message).length > 0) return false;
  const isText = typeof content === "string" || (content.length === 1 && content[0]?.type === "text");
  return isText && !MISTAKABLE.test(message.text);
}

function contentOf({ content }: BaseMessage): unknown {
  if (typeof content === "string") return content;
  return content.map((block) => (CALLS.has(block.type) ? { ...block, id: undefined } : block));
}

function callsOf(message: BaseMessage): readonly unknown[] {
  const { tool_calls = [] } = message as Partial<AIMessage>;
  return tool_calls.map(({ name, args }) => [name, args]);
}

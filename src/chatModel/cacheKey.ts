/** What a cached reply depends on. */
import { createHash } from "node:crypto";
import type { BaseMessage } from "@langchain/core/messages";

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

/** What begins a message in the text that LangChain makes of several, and what else one can be mistaken for. */
const ROLE_INSIDE = /\n(?:Human|AI|System|Tool): /;

/**
 * Hash of everything that can change an answer and that LangChain's text of the messages does not show; undefined
 * when there is nothing. Images are left out of that text, so two of them with one question would share an
 * answer; and a message with a line that begins like another message looks like two.
 */
export function unseenHash(messages: readonly BaseMessage[]): string | undefined {
  const attachments = messages.flatMap(({ content }) =>
    typeof content === "string" ? [] : content.filter((block) => block.type !== "text"),
  );
  const isAmbiguous = messages.some((message) => ROLE_INSIDE.test(message.text));
  if (attachments.length === 0 && !isAmbiguous) return undefined;
  const lengths = isAmbiguous ? messages.map((message) => [message.type, message.text.length]) : [];
  return createHash("sha256")
    .update(JSON.stringify([attachments, lengths]))
    .digest("hex");
}

/** What a cached reply depends on. */
import { createHash } from "node:crypto";
import type { BaseMessage } from "@langchain/core/messages";

/** Where and how fast a model runs changes no answer, so that cached replies survive another machine setup. */
const WITHOUT_INFLUENCE = new Set([
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

/**
 * Hash of everything in messages that is not text; undefined when there is nothing. LangChain's cache key holds
 * the text alone, so two images with one question would share an answer.
 */
export function attachmentsHash(messages: readonly BaseMessage[]): string | undefined {
  const attachments = messages.flatMap(({ content }) =>
    typeof content === "string" ? [] : content.filter((block) => block.type !== "text"),
  );
  if (attachments.length === 0) return undefined;
  return createHash("sha256").update(JSON.stringify(attachments)).digest("hex");
}

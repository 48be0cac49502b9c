/** Options that chat, completions and responses share, from OpenAI's names to Ollama's. */
import type { Fields } from "./fields.js";
import { unsupported, unsupportedValue } from "./refused.js";

/** The largest number below 2 ** 63. */
const MOST_OF_64_BITS = 2 ** 63 - 1_024;

/** Limits are OpenAI's. */
export function samplingOptions(request: Fields): Record<string, unknown> {
  const options: Record<string, unknown> = {
    // Defaults of OpenAI's reference, and of Ollama's own `/v1`: a program gets the same answers from both.
    temperature: request.decimal("temperature", 0, 2) ?? 1,
    top_p: request.decimal("top_p", 0, 1) ?? 1,
    seed: request.integer("seed", -MOST_OF_64_BITS, MOST_OF_64_BITS),
    frequency_penalty: request.decimal("frequency_penalty", -2, 2),
    presence_penalty: request.decimal("presence_penalty", -2, 2),
    // Every text begins with an empty one: the answer would end before it began.
    stop: request.texts("stop")?.filter((text) => text !== ""),
  };
  return defined(options);
}

/** One answer is made at a time. */
export function refuseSeveralAnswers(request: Fields): void {
  for (const name of ["n", "best_of"]) {
    if ((request.integer(name, 1, 128) ?? 1) > 1) {
      throw unsupportedValue(name, "One answer is made for each request; send as many requests.");
    }
  }
  if (Object.keys(request.object("logit_bias")?.values ?? {}).length > 0) {
    throw unsupported("logit_bias", "Ollama has no such option.");
  }
}

/** Without the fields that have no value. */
export function defined<T extends Record<string, unknown>>(fields: T): T {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as T;
}

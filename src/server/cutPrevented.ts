import type { WireRequest } from "../backend/wire.js";

/** Ollama's window where nobody sets one, on machines with less than 24 GB of GPU memory (`OLLAMA_CONTEXT_LENGTH`). */
const DEFAULT_WINDOW = 4_096;
/** A prompt that fits no permitted window, refused here or by Ollama: without `truncate: false` it would be cut. */
const REFUSED_FOR_LENGTH: ReadonlySet<string | null> = new Set(["CONTEXT_OVERFLOW", "CONTEXT_EXCEEDED"]);

/**
 * Whether Ollama alone would have cut this prompt without a word: it is longer than the window that the client set,
 * else than Ollama's default, and it was answered whole or refused.
 *
 * @param promptTokens as the server counted them; null when it did not
 * @param wasCut the server cut it nevertheless
 * @example cutPrevented({}, 5_000, false, null) // true
 * @example cutPrevented({ num_ctx: 8192 }, 5_000, false, null) // false
 */
export function cutPrevented(
  options: NonNullable<WireRequest["options"]>,
  promptTokens: number | null,
  wasCut: boolean,
  errorCode: string | null,
): boolean {
  if (REFUSED_FOR_LENGTH.has(errorCode)) return true;
  const { num_ctx: own } = options;
  return !wasCut && (promptTokens ?? 0) > (typeof own === "number" ? own : DEFAULT_WINDOW);
}

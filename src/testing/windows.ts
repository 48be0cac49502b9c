/** Window arithmetic of both generations, as pure functions. All counts are tokens. */
import type { Generation } from "./generation.js";

/**
 * The window a runner gets: at least 4 (Ollama `server/sched.go`, so `num_ctx: 0` becomes 4), at most the
 * trained one.
 *
 * @example effectiveWindow(1_000_000, 8192) // 8192
 */
export function effectiveWindow(numCtx: number, trainedNumCtx: number): number {
  return Math.min(Math.max(Math.trunc(numCtx), 4), trainedNumCtx);
}

/**
 * `num_batch` where nobody set it. Up to 0.24 always 512; since 0.30 1,024 above a window of 4,096 and 2,048
 * above 32,768. Embedding models take up to 2,048 at once.
 *
 * @example automaticBatch(8192, generationOf("0.34.0"), false) // 1024
 */
export function automaticBatch(numCtx: number, generation: Generation, embeds: boolean): number {
  if (embeds) return generation.remembersAuto ? Math.min(2048, numCtx) : numCtx;
  if (!generation.remembersAuto) return Math.min(512, numCtx);
  return numCtx > 32_768 ? 2048 : numCtx > 4096 ? 1024 : 512;
}

/** The context the engine really has: llama.cpp rounds it up to 256. */
export function paddedWindow(numCtx: number, generation: Generation): number {
  return generation.pads ? Math.ceil(numCtx / 256) * 256 : numCtx;
}

/**
 * `num_predict`: unset and negative mean "until it stops", which is bounded by ten windows. 0 is no limit at all
 * before 0.30, and nothing is answered after it.
 */
export function outputLimit(numPredict: number | undefined, numCtx: number, generation: Generation): number {
  const limit = 10 * numCtx;
  if (numPredict === 0 && !generation.pads) return Number.POSITIVE_INFINITY;
  return numPredict === undefined || numPredict < 0 || numPredict > limit ? limit : numPredict;
}

/**
 * The window of an in-process runner is exceeded by more tokens than it holds; llama-server also refuses a
 * prompt that fills it completely.
 */
export function exceedsWindow(promptTokens: number, numCtx: number, generation: Generation): boolean {
  return generation.pads ? promptTokens >= paddedWindow(numCtx, generation) : promptTokens > numCtx;
}

/**
 * The silent cut: keeps the first `numKeep` tokens and the end.
 *
 * @param addsBos the tokenizer adds a bos token, which is kept too (0.30 and later)
 * @returns the same array when nothing had to go
 * @example cutPrompt(tokens(3054), { numCtx: 1024, numKeep: 4, addsBos: true }, generationOf("0.34.0")).length // 515
 */
export function cutPrompt(
  tokens: readonly number[],
  limits: { readonly numCtx: number; readonly numKeep: number; readonly addsBos: boolean },
  generation: Generation,
): readonly number[] {
  const { numCtx } = limits;
  const room = generation.cut === "window" ? numCtx : numCtx - 1;
  if (tokens.length <= room) return tokens;
  const bos = generation.cut !== "window" && limits.addsBos ? 1 : 0;
  const wanted = limits.numKeep < 0 ? tokens.length : limits.numKeep + bos;
  const keep = Math.min(wanted, numCtx - 1);
  const length = generation.cut === "half" ? numCtx - Math.max(Math.floor((numCtx - keep) / 2), 1) : room;
  return [...tokens.slice(0, keep), ...tokens.slice(tokens.length - (length - keep))];
}

/**
 * Drops whole messages from the front until the prompt fits; system messages and the last message stay.
 *
 * @param count tokens of a rendered list of messages
 * @example fittingMessages([system, old, question], (list) => count(list), 100) // [system, question]
 */
export function fittingMessages<M extends { readonly role: string }>(
  messages: readonly M[],
  count: (messages: readonly M[]) => number,
  numCtx: number,
): readonly M[] {
  for (let first = 0; first < messages.length; first++) {
    const system = messages.slice(0, first).filter((message) => message.role === "system");
    const kept = [...system, ...messages.slice(first)];
    if (first === messages.length - 1 || count(kept) <= numCtx) return kept;
  }
  return messages;
}

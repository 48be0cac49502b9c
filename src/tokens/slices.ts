/** Long texts are worked off in slices, so that nothing else waits: on the main thread a call must never stall others. */
import { isHighSurrogate } from "./encoder.js";

/** UTF-16 units; hashing, searching or posting so many takes 0.02 to 0.1 ms. */
export const SLICE = 32_768;

/** A text in slices of at most {@link SLICE}; no surrogate pair is cut. */
export function* slicesOf(text: string): Generator<string> {
  if (text.length <= SLICE) {
    if (text !== "") yield text;
    return;
  }
  let end = 0;
  for (let start = 0; start < text.length; start = end) {
    end = Math.min(text.length, start + SLICE);
    if (end < text.length && isHighSurrogate(text.charCodeAt(end - 1))) end--;
    yield text.slice(start, end);
  }
}

/** One turn of the event loop. */
export function letOthersIn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

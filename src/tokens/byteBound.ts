import { letOthersIn, SLICE, slicesOf } from "./slices.js";

/**
 * The most tokens a text can become: its UTF-8 bytes. A byte-level BPE starts from bytes and only merges, a
 * SentencePiece tokenizer falls back to bytes, so neither ever makes more (its space prefix is one more token).
 * Lone surrogates count 3 bytes: the wire carries them as U+FFFD.
 *
 * @returns bytes; runs at memory speed and allocates nothing
 * @example byteBound("naïve 🙂") // 11
 */
export function byteBound(text: string): number {
  return Buffer.byteLength(text, "utf8");
}

/** `byteBound` of texts of any length: 10 MB beyond Latin-1 take 7 ms, so others are let in between slices. */
export async function byteBoundOf(texts: readonly string[]): Promise<number> {
  let bytes = 0;
  for (const text of texts) {
    if (text.length <= SLICE) {
      bytes += byteBound(text);
      continue;
    }
    for (const slice of slicesOf(text)) {
      bytes += byteBound(slice);
      await letOthersIn();
    }
  }
  return bytes;
}

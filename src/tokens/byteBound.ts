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

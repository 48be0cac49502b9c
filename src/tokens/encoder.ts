/** Turns a piece of text without control tokens into ids. */
export interface PieceEncoder {
  /** Tokens of a piece. */
  count(piece: string): number;
  /** Appends the ids of a piece. */
  encode(piece: string, ids: number[]): void;
}

export function isHighSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdbff;
}

const LONGEST_REMEMBERED = 32;
const MOST_REMEMBERED = 65_536;

/** Remembers the counts of short words: most words of a text occur again. */
export class WordCounts {
  private readonly counts = new Map<string, number>();

  get(word: string): number | undefined {
    return word.length <= LONGEST_REMEMBERED ? this.counts.get(word) : undefined;
  }

  set(word: string, count: number): void {
    if (word.length > LONGEST_REMEMBERED) return;
    if (this.counts.size >= MOST_REMEMBERED) this.counts.clear();
    // V8 keeps the whole text alive behind a slice of 13 characters or more: store a copy.
    this.counts.set(word.length < 13 ? word : Buffer.from(word, "utf16le").toString("utf16le"), count);
  }
}

import { byteName } from "./bytePairs.js";
import { type PieceEncoder, WordCounts } from "./encoder.js";
import { MergeQueue } from "./mergeQueue.js";
import type { Vocabulary } from "./vocabulary.js";

/**
 * SentencePiece BPE as llama.cpp's `llm_tokenizer_spm_session` does it: neighbours whose text is a token merge, the
 * highest score first; characters that are no token become bytes. Spaces are U+2581; the prefix is the caller's.
 *
 * SentencePiece does not split words, so a text is one problem. Two characters that stand next to each other in no
 * token can never merge, though: cutting there changes nothing and lets words be remembered.
 */
export class SentencePieceEncoder extends MergeQueue implements PieceEncoder {
  private readonly ids = new Map<string, number>();
  /** Order of scores: 0 is the highest, equal scores share a rank. */
  private readonly order: Int32Array;
  private readonly neighbours = new Set<number>();
  private readonly known = new WordCounts();
  private word = "";
  private starts = new Int32Array(256);
  private ends = new Int32Array(256);

  constructor(vocabulary: Vocabulary) {
    super();
    const { texts, scores } = vocabulary;
    texts.forEach((text, id) => {
      this.ids.set(text, id);
      for (let index = 1; index < text.length; index++) this.neighbours.add(pairOf(text, index));
    });
    const distinct = Float32Array.from(new Set(scores)).sort().reverse();
    const rankOf = new Map(Array.from(distinct, (score, rank) => [score, rank]));
    this.order = Int32Array.from(texts, (_, id) => rankOf.get(scores[id] ?? 0) ?? 0);
  }

  count(piece: string): number {
    let total = 0;
    this.eachWord(piece, (word) => {
      let count = this.known.get(word);
      if (count === undefined) {
        count = this.encodeWord(word, null);
        this.known.set(word, count);
      }
      total += count;
    });
    return total;
  }

  encode(piece: string, ids: number[]): void {
    this.eachWord(piece, (word) => this.encodeWord(word, ids));
  }

  private eachWord(piece: string, visit: (word: string) => void): void {
    const text = piece.replaceAll(" ", "\u2581");
    let start = 0;
    for (let index = 1; index < text.length; index++) {
      if (this.neighbours.has(pairOf(text, index)) || isLowSurrogate(text.charCodeAt(index))) continue;
      visit(text.slice(start, index));
      start = index;
    }
    if (start < text.length) visit(text.slice(start));
  }

  /** Tokens of a word; their ids are appended unless `ids` is null. */
  private encodeWord(word: string, ids: number[] | null): number {
    this.word = word;
    this.reserve(word.length);
    let length = 0;
    let start = 0;
    for (const character of word) {
      this.starts[length] = start;
      start += character.length;
      this.ends[length++] = start;
    }
    this.run(length);
    let count = 0;
    for (let position = 0; position !== -1; position = this.next[position] as number) {
      const text = word.slice(this.starts[position], this.ends[position]);
      const id = this.ids.get(text);
      if (id !== undefined) {
        count++;
        ids?.push(id);
        continue;
      }
      for (const byte of Buffer.from(text)) {
        count++;
        ids?.push(this.ids.get(byteName(byte)) ?? this.ids.get(String.fromCharCode(byte)) ?? 0);
      }
    }
    return count;
  }

  protected override reserve(length: number): void {
    super.reserve(length);
    if (this.starts.length >= this.next.length) return;
    this.starts = new Int32Array(this.next.length);
    this.ends = new Int32Array(this.next.length);
  }

  protected rank(left: number, right: number): number {
    const id = this.ids.get(this.word.slice(this.starts[left], this.ends[right]));
    return id === undefined ? -1 : (this.order[id] as number);
  }

  protected merge(left: number, right: number): void {
    this.ends[left] = this.ends[right] as number;
  }
}

function pairOf(text: string, index: number): number {
  return text.charCodeAt(index - 1) * 65_536 + text.charCodeAt(index);
}

function isLowSurrogate(unit: number): boolean {
  return unit >= 0xdc00 && unit <= 0xdfff;
}

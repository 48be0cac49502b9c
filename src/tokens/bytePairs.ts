import { byteSymbol, decodeToken } from "./byteAlphabet.js";
import { type PieceEncoder, WordCounts } from "./encoder.js";
import { MergeQueue } from "./mergeQueue.js";
import { PairTable } from "./pairTable.js";
import { preTokenizer } from "./patterns.js";
import { splitter } from "./splitter.js";
import { TokenType, type Vocabulary } from "./vocabulary.js";

/**
 * Byte pair encoding with the model's own merges, as llama.cpp's `llm_tokenizer_bpe_session` does it: on bytes, or
 * on characters for Gemma 4. Merges go by pair, not by result: tiktoken's way lets two halves merge that were
 * never a pair, and takes any piece that is a token whole, which llama.cpp does for some vocabularies only.
 */
export class BytePairEncoder extends MergeQueue implements PieceEncoder {
  private readonly pairs: PairTable;
  private readonly split: (piece: string, emit: (word: string) => void) => void;
  private readonly known = new WordCounts();
  /** Words that are one token though their merges would end elsewhere. */
  private readonly whole = new Map<string, number>();
  private readonly byteIds = new Int32Array(256);
  /** Ids of one-character symbols, for vocabularies on characters. */
  private readonly characterIds = new Map<string, number>();
  private readonly ids: Map<string, number> | null;
  private readonly characters: boolean;
  private symbols = new Int32Array(256);
  private bytes = new Uint8Array(768);
  private readonly utf8 = new TextEncoder();

  constructor(private readonly vocabulary: Vocabulary) {
    super();
    const { texts, merges, size, types } = vocabulary;
    this.pairs = new PairTable(merges);
    const pre = preTokenizer(vocabulary.pre);
    if (pre === null) throw new TypeError(`no pre-tokenizer ${vocabulary.pre}`);
    this.split = splitter(pre.steps);
    this.characters = vocabulary.kind === "characters";
    this.ids = this.characters ? new Map() : null;
    const bytesOf = new Map(Array.from({ length: 256 }, (_, byte) => [byteSymbol(byte), byte]));
    this.byteIds.fill(-1);
    for (let id = 0; id < texts.length; id++) {
      const text = texts[id] as string;
      if (this.characters) {
        if (text.length <= 2 && Array.from(text).length === 1) this.characterIds.set(text, id);
        if (types[id] === TokenType.byte || /^\n+$/.test(text)) this.ids?.set(text, id);
      } else if (text.length === 1) {
        const byte = bytesOf.get(text);
        if (byte !== undefined) this.byteIds[byte] = id;
      }
    }
    if (!pre.ignoreMerges) return;
    for (let id = 0; id < size; id++) {
      if (types[id] !== TokenType.normal) continue;
      const word = decodeToken(texts[id] as string);
      if (word !== null && word !== "" && this.countWord(word) !== 1) this.whole.set(word, id);
    }
  }

  count(piece: string): number {
    let total = 0;
    this.split(this.escape(piece), (word) => {
      const known = this.known.get(word);
      if (known !== undefined) {
        total += known;
        return;
      }
      const count = this.countWord(word);
      this.known.set(word, count);
      total += count;
    });
    return total;
  }

  encode(piece: string, ids: number[]): void {
    this.split(this.escape(piece), (word) => this.encodeWord(word, ids));
  }

  private escape(piece: string): string {
    return this.characters ? piece.replaceAll(" ", "\u2581") : piece;
  }

  private countWord(word: string): number {
    if (this.wholeWord(word) !== undefined) return 1;
    this.mergeWord(word);
    let count = 0;
    for (let position = 0; position !== -1; position = this.next[position] as number) {
      count += this.isToken(this.symbols[position] as number) ? 1 : this.fallback(position).length;
    }
    return count;
  }

  private encodeWord(word: string, ids: number[]): void {
    const whole = this.wholeWord(word);
    if (whole !== undefined) {
      ids.push(whole);
      return;
    }
    this.mergeWord(word);
    for (let position = 0; position !== -1; position = this.next[position] as number) {
      const id = this.symbols[position] as number;
      if (this.isToken(id)) ids.push(id);
      else ids.push(...this.fallback(position));
    }
  }

  /** Newlines of Gemma 4 are taken whole too (llama.cpp #21343). */
  private wholeWord(word: string): number | undefined {
    if (this.characters) return word.startsWith("\n") ? this.ids?.get(word) : undefined;
    return this.whole.size > 0 ? this.whole.get(word) : undefined;
  }

  private mergeWord(word: string): void {
    if (this.characters) {
      this.reserve(word.length);
      let length = 0;
      for (const character of word) {
        this.symbols[length] = this.characterIds.get(character) ?? -1 - (character.codePointAt(0) as number);
        length++;
      }
      this.run(length);
      return;
    }
    if (this.bytes.length < word.length * 3) this.bytes = new Uint8Array(word.length * 6);
    const { written } = this.utf8.encodeInto(word, this.bytes);
    this.reserve(written);
    for (let index = 0; index < written; index++) {
      this.symbols[index] = this.byteIds[this.bytes[index] as number] as number;
    }
    this.run(written);
  }

  protected override reserve(length: number): void {
    super.reserve(length);
    if (this.symbols.length < this.next.length) this.symbols = new Int32Array(this.next.length);
  }

  protected rank(left: number, right: number): number {
    const first = this.symbols[left] as number;
    const second = this.symbols[right] as number;
    return first < 0 || second < 0 ? -1 : this.pairs.rank(first, second);
  }

  protected merge(left: number, right: number): void {
    const rank = this.rank(left, right);
    this.symbols[left] = this.pairs.merged(rank);
  }

  private isToken(id: number): boolean {
    return id >= 0 && id < this.vocabulary.size;
  }

  /**
   * Ids for a symbol that is no token. llama.cpp looks up each byte of its text: the `<0xXX>` tokens of a vocabulary
   * on characters; of a byte-level one only ASCII characters are found, the rest is dropped.
   */
  private fallback(position: number): number[] {
    const id = this.symbols[position] as number;
    if (this.characters) {
      const text = id >= 0 ? (this.vocabulary.texts[id] as string) : String.fromCodePoint(-1 - id);
      return Array.from(this.utf8.encode(text), (byte) => this.ids?.get(byteName(byte))).filter(
        (found): found is number => found !== undefined,
      );
    }
    if (id < 0) return [];
    return Array.from(this.vocabulary.texts[id] as string, (character) =>
      character < "\x80" ? this.byteIds[character.charCodeAt(0)] : -1,
    ).filter((found): found is number => found !== undefined && this.isToken(found));
  }
}

/** @example byteName(10) // "<0x0A>" */
export function byteName(byte: number): string {
  return `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`;
}

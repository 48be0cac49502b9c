/**
 * A plain byte-level BPE, slow and independent of any tokenizer library on purpose: what it counts is the
 * "server's own count" that a client's count is checked against. Where llama.cpp is at hand, tests compare the two.
 */
import { bytesOf, spellBytes } from "./byteAlphabet.js";
import { splitPatterns } from "./splitPatterns.js";

/** What `/api/show` with `verbose: true` tells of a tokenizer (the GGUF keys below `tokenizer.ggml.`). */
export interface TokenizerFile {
  /** `tokenizer.ggml.pre`: which split pattern. */
  readonly pre: string;
  /** By id, in the byte alphabet. */
  readonly tokens: readonly string[];
  /** 1 normal, 3 control, 4 user defined. */
  readonly tokenTypes: readonly number[];
  /** "left right", best first. */
  readonly merges: readonly string[];
  readonly bosTokenId: number;
  readonly eosTokenId: number;
  /** Every prompt begins with the bos token. */
  readonly addsBos: boolean;
}

/** A piece of text and how many tokens it is. */
export interface Piece {
  readonly text: string;
  readonly tokens: number;
}

/** Turns text into tokens as the engine does. */
export interface Tokenizer {
  readonly addsBos: boolean;
  /** Control tokens in the text count as one token each, as in Ollama's chat prompts. No bos. */
  encode(text: string): number[];
  /** The text token by token, as a stream shows it: a character that takes several tokens stays whole. */
  pieces(text: string): readonly Piece[];
  /** The prompt as the engine evaluates it: with bos where the model wants one. */
  encodePrompt(text: string): number[];
}

/**
 * @example bytePairTokenizer(tinyTokenizer()).encode(" the the").length // 2
 */
export function bytePairTokenizer(file: TokenizerFile): Tokenizer {
  const ids = new Map(file.tokens.map((token, id) => [token, id]));
  const ranks = new Map(file.merges.map((merge, rank) => [merge, rank]));
  const specials = file.tokens.filter((_, id) => (file.tokenTypes[id] ?? 1) !== 1);
  const special = new Map(specials.map((token) => [token, ids.get(token)!]));
  const bySpecial = specials.length > 0 ? new RegExp(`(${specials.map(escapeRegExp).join("|")})`, "u") : null;
  const byWord = splitPatterns[file.pre] ?? splitPatterns.default!;
  const remembered = new Map<string, readonly number[]>();

  function word(text: string): readonly number[] {
    const known = remembered.get(text);
    if (known) return known;
    const spelled = spellBytes(text);
    const whole = file.pre === "llama-bpe" ? ids.get(spelled) : undefined;
    const result =
      whole !== undefined ? [whole] : mergePairs([...spelled], ranks).map((piece) => ids.get(piece)!);
    if (remembered.size < 50_000 && text.length < 64) remembered.set(text, result);
    return result;
  }

  function encode(text: string): number[] {
    const result: number[] = [];
    for (const part of bySpecial ? text.split(bySpecial) : [text]) {
      const control = special.get(part);
      if (control !== undefined) result.push(control);
      else for (const [piece] of part.matchAll(byWord)) for (const id of word(piece)) result.push(id);
    }
    return result;
  }

  const spelling = (id: number): Buffer =>
    (file.tokenTypes[id] ?? 1) === 1 ? bytesOf(file.tokens[id] ?? "") : Buffer.from(file.tokens[id]!);

  return {
    addsBos: file.addsBos,
    encode,
    encodePrompt: (text) => (file.addsBos ? [file.bosTokenId, ...encode(text)] : encode(text)),
    pieces(text) {
      const result: Piece[] = [];
      let waiting: number[] = [];
      for (const id of encode(text)) {
        waiting.push(id);
        const whole = Buffer.concat(waiting.map(spelling)).toString("utf8");
        if (whole.endsWith("\ufffd") && waiting.length < 8) continue;
        result.push({ text: whole, tokens: waiting.length });
        waiting = [];
      }
      return result;
    },
  };
}

/** Merges the best pair everywhere, then the next best, until no merge is left. */
function mergePairs(pieces: string[], ranks: ReadonlyMap<string, number>): string[] {
  while (pieces.length > 1) {
    let best = Number.POSITIVE_INFINITY;
    for (let index = 0; index + 1 < pieces.length; index++) {
      best = Math.min(best, ranks.get(`${pieces[index]} ${pieces[index + 1]}`) ?? Number.POSITIVE_INFINITY);
    }
    if (best === Number.POSITIVE_INFINITY) break;
    const merged: string[] = [];
    for (let index = 0; index < pieces.length; index++) {
      const piece = pieces[index]!;
      const next = pieces[index + 1];
      if (next !== undefined && ranks.get(`${piece} ${next}`) === best) {
        merged.push(piece + next);
        index++;
      } else merged.push(piece);
    }
    pieces = merged;
  }
  return pieces;
}

/**
 * A tokenizer that nobody can rebuild from `/api/show`: so many bytes a token. Stands for SentencePiece and
 * other models whose tokens a client has to estimate.
 *
 * @example coarseTokenizer(4).encode("12345").length // 2
 */
export function coarseTokenizer(bytesPerToken: number, addsBos = true): Tokenizer {
  const encode = (text: string): number[] => {
    const bytes = Buffer.from(text, "utf8");
    const tokens: number[] = [];
    for (let count = 0; count * bytesPerToken < bytes.length; count++) {
      const end = Math.min(Math.floor((count + 1) * bytesPerToken), bytes.length);
      let id = 7;
      for (let at = Math.floor(count * bytesPerToken); at < end; at++) id = (id * 31 + bytes[at]!) | 0;
      tokens.push(id);
    }
    return tokens;
  };
  return {
    addsBos,
    encode,
    encodePrompt: (text) => (addsBos ? [1, ...encode(text)] : encode(text)),
    pieces: (text) => {
      const tokens = encode(text).length;
      const characters = [...text];
      return Array.from({ length: tokens }, (_, index) => ({
        text: characters
          .slice((index * characters.length) / tokens, ((index + 1) * characters.length) / tokens)
          .join(""),
        tokens: 1,
      }));
    },
  };
}

function escapeRegExp(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}

/**
 * GPT-2's vocabulary out of the tiktoken package, as `/api/show` would give it: a real vocabulary of 50,257 tokens
 * and an independent encoder to compare with.
 */
import { createRequire } from "node:module";
import { byteSymbol } from "../../src/tokens/byteAlphabet.js";

const require = createRequire(import.meta.url);
const encoding = require("tiktoken/encoders/gpt2.json") as { bpe_ranks: string; pat_str: string };
const { Tiktoken } = require("tiktoken/lite") as typeof import("tiktoken/lite");

export const tiktoken = new Tiktoken(encoding.bpe_ranks, { "<|endoftext|>": 50_256 }, encoding.pat_str);

/** Tokens by rank as latin1 strings: one character a byte. */
const ranked = encoding.bpe_ranks
  .split("\n")
  .flatMap((line) => line.split(" ").slice(2))
  .map((token) => Buffer.from(token, "base64").toString("latin1"));
const rankOf = new Map(ranked.map((token, rank) => [token, rank]));
const readable = (bytes: string): string =>
  Array.from(bytes, (byte) => byteSymbol(byte.charCodeAt(0))).join("");

/** The two halves whose merge made a token: what merging by lower ranks alone leaves of it. */
function halves(token: string, rank: number): string {
  const parts = Array.from(token);
  while (parts.length > 2) {
    let best = -1;
    let bestRank = rank;
    for (let index = 0; index + 1 < parts.length; index++) {
      const found = rankOf.get(`${parts[index]}${parts[index + 1]}`) ?? rank;
      if (found < bestRank) [best, bestRank] = [index, found];
    }
    parts.splice(best, 2, `${parts[best]}${parts[best + 1]}`);
  }
  return parts.map(readable).join(" ");
}

export function gpt2Show(): object {
  const tokens = [...ranked.map(readable), "<|endoftext|>"];
  const merges = ranked.flatMap((token, rank) => (token.length > 1 ? [halves(token, rank)] : []));
  return {
    model_info: {
      "tokenizer.ggml.model": "gpt2",
      "tokenizer.ggml.pre": "gpt-2",
      "tokenizer.ggml.tokens": tokens,
      "tokenizer.ggml.merges": merges,
      "tokenizer.ggml.token_type": tokens.map((_, id) => (id === 50_256 ? 3 : 1)),
    },
  };
}

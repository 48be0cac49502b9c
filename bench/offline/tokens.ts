/**
 * Token counts in the worker: text not seen before, answers from memory, and how long the main thread is blocked
 * meanwhile. The vocabulary is cl100k_base of the tiktoken package: 100,256 tokens, the size of Llama 3's and Qwen's.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { seededRandom } from "../../src/calibration/prose.js";
import { byteSymbol } from "../../src/tokens/byteAlphabet.js";
import { byteBound } from "../../src/tokens/byteBound.js";
import { estimateTokens, TokenizerPool } from "../../src/tokens/index.js";
import { blocked, repeated, watched } from "../blocked.js";
import { type Benchmark, type Figure, quantile, timed } from "../figures.js";

const SYLLABLES =
  "an ber con der es fo ga hin il ja ko lo mer no or per qui ra sta ti un ver we xe yo zi".split(" ");

export const tokenCounting: Benchmark = {
  title: "Token counts, with a tokenizer of 100,256 tokens",
  async run({ short }) {
    const folder = await mkdtemp(join(tmpdir(), "tokens-bench-"));
    const pool = new TokenizerPool({ folder });
    try {
      return await measure(pool, short ? 1e6 : 3e6);
    } finally {
      await pool.close();
      await rm(folder, { recursive: true });
    }
  },
};

async function measure(pool: TokenizerPool, bytes: number): Promise<Figure[]> {
  const make = makers(seededRandom(1));
  const reply = showReply();
  // The pool keeps two tokenizers: the last one is still there.
  const digests = ["1", "2", "3", "4", "bench"];
  const built = await repeated(async () => {
    return watched(() => pool.load(digests.shift()!, async () => reply));
  });
  const figures: Figure[] = [
    { what: "tokenizer from /api/show", value: built.ms, unit: "ms" },
    blocked("tokenizer from /api/show: main thread blocked", built.blockedMs),
  ];
  await pool.count("bench", textOf(make.prose!, 2e6));
  for (const [name, maker] of Object.entries(make)) {
    const runs = await repeated(async () => {
      const text = textOf(maker, bytes);
      return watched(() => pool.count("bench", text));
    });
    figures.push(
      { what: `${name} not seen before`, value: bytes / 1e3 / runs.ms, unit: "MB/s", atLeast: 2 },
      blocked(`${name}: main thread blocked`, runs.blockedMs),
    );
  }
  for (const run of ["a", " ", "\u6c49", "\u{1f642}"]) {
    const { ms } = await watched(() => pool.count("bench", run.repeat(200_000)));
    figures.push({ what: `200,000 times "${run}"`, value: ms, unit: "ms" });
  }
  let huge = "";
  const counted = await repeated(async () => {
    huge = textOf(make.prose!, 1e7);
    return watched(() => pool.count("bench", huge));
  });
  figures.push(
    { what: "10 MB in one text", value: 1e4 / counted.ms, unit: "MB/s", atLeast: 2 },
    blocked("10 MB in one text: main thread blocked", counted.blockedMs),
  );
  const turns = Array.from(
    { length: 40 },
    () => `<|im_start|>user\n${textOf(make.prose!, 3_200)}<|im_end|>\n`,
  );
  const conversation = turns.join("");
  await pool.count("bench", conversation);
  const known = timed(300, () => pool.countKnown("bench", conversation));
  const grown = await watched(() => pool.count("bench", `${conversation}${textOf(make.prose!, 3_200)}`));
  const bound = timed(5, () => byteBound(huge));
  const estimate = timed(20, () => estimateTokens(huge));
  return [
    ...figures,
    { what: "a conversation of 128 KB, known: p50", value: quantile(known, 0.5), unit: "ms" },
    { what: "a conversation of 128 KB, known: p99", value: quantile(known, 0.99), unit: "ms" },
    { what: "the same with a new message of 3 KB", value: grown.ms, unit: "ms" },
    { what: "byte bound", value: 1e4 / quantile(bound, 0.5), unit: "MB/s" },
    { what: "estimate without a tokenizer", value: 1e4 / quantile(estimate, 0.5), unit: "MB/s" },
  ];
}

/** Pieces of several kinds of text; no long text repeats. */
function makers(random: () => number): Readonly<Record<string, () => string>> {
  const pick = (list: readonly string[]) => list[Math.floor(random() * list.length)]!;
  const words = Array.from({ length: 8_000 }, () =>
    Array.from({ length: 1 + Math.floor(random() * 3) }, () => pick(SYLLABLES)).join(""),
  );
  return {
    prose: () => pick(words) + pick([" ", " ", " ", " ", ", ", ". ", "\n"]),
    code: () => pick(["  ", "\n  ", "\n\n", ""]) + pick(words) + pick(["(", "). ", " = ", "[0]", ";\n", '"']),
    JSON: () => `{"${pick(words)}": ${Math.floor(random() * 1e6)}, "${pick(words)}": ["${pick(words)}"]},\n`,
    Chinese: () => String.fromCharCode(0x4e00 + random() * 3_000) + (random() < 0.06 ? "\uff0c" : ""),
    emoji: () => String.fromCodePoint(0x1f300 + Math.floor(random() * 500)) + pick(["", " ", "a"]),
  };
}

function textOf(make: () => string, bytes: number): string {
  const parts: string[] = [];
  for (let size = 0; size < bytes; size += Buffer.byteLength(parts.at(-1)!)) parts.push(make());
  return Buffer.from(parts.join("")).toString();
}

/** `/api/show` of a model with cl100k_base; merges are what lower ranks leave of each token. */
export function showReply(): Uint8Array[] {
  const encoding = createRequire(import.meta.url)("tiktoken/encoders/cl100k_base.json") as {
    bpe_ranks: string;
  };
  const ranked = encoding.bpe_ranks
    .split("\n")
    .flatMap((line) => line.split(" ").slice(2))
    .map((token) => Buffer.from(token, "base64").toString("latin1"));
  const rankOf = new Map(ranked.map((token, rank) => [token, rank]));
  const readable = (bytes: string) => Array.from(bytes, (byte) => byteSymbol(byte.charCodeAt(0))).join("");
  const merges = ranked.flatMap((token, rank) => {
    const parts = Array.from(token);
    while (parts.length > 2) {
      let best = 0;
      let bestRank = rank;
      for (let index = 0; index + 1 < parts.length; index++) {
        const found = rankOf.get(parts[index]! + parts[index + 1]!) ?? rank;
        if (found < bestRank) [best, bestRank] = [index, found];
      }
      parts.splice(best, 2, parts[best]! + parts[best + 1]!);
    }
    return token.length > 1 ? [parts.map(readable).join(" ")] : [];
  });
  const tokens = [...ranked.map(readable), "<|im_start|>", "<|im_end|>"];
  const info = {
    "tokenizer.ggml.model": "gpt2",
    "tokenizer.ggml.pre": "llama-bpe",
    "tokenizer.ggml.tokens": tokens,
    "tokenizer.ggml.merges": merges,
    "tokenizer.ggml.token_type": tokens.map((_, id) => (id < ranked.length ? 1 : 3)),
  };
  const bytes = Buffer.from(JSON.stringify({ model_info: info }));
  // As a socket brings it.
  return Array.from({ length: Math.ceil(bytes.length / 65_536) }, (_, part) =>
    bytes.subarray(part * 65_536, (part + 1) * 65_536),
  );
}

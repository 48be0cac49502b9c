/**
 * Token counts in the worker: building a tokenizer, counting text not seen before, answers from memory, and how long
 * the main thread is blocked meanwhile. The vocabulary is cl100k_base from the tiktoken package (100,256 tokens, the
 * size of Llama 3's and Qwen's). Prints one table and, with a file name as argument, writes it as JSON. Needs
 * `npm run build`.
 */
import { writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { byteSymbol } from "../dist/tokens/byteAlphabet.js";
import { byteBound, estimateTokens, TokenizerPool } from "../dist/tokens/index.js";

const results = {};
const megabytes = (text) => Buffer.byteLength(text) / 1e6;
const residentMegabytes = () => process.memoryUsage().rss / 1e6;

/** A seeded stream of words, so that no text repeats (mulberry32). */
function randomOf(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
const random = randomOf(1);
const pick = (list) => list[Math.floor(random() * list.length)];
const syllables =
  "an ber con der es fo ga hin il ja ko lo mer no or per qui ra sta ti un ver we xe yo zi".split(" ");
const words = Array.from({ length: 8_000 }, () =>
  Array.from({ length: 1 + Math.floor(random() * 3) }, () => pick(syllables)).join(""),
);
const makers = {
  prose: () => `${pick(words)}${pick([" ", " ", " ", " ", ", ", ". ", "\n"])}`,
  code: () =>
    `${pick(["  ", "\n  ", "\n\n", ""])}${pick(words)}${pick(["(", "). ", " = ", "[0]", ";\n", '"'])}`,
  JSON: () => `{"${pick(words)}": ${Math.floor(random() * 1e6)}, "${pick(words)}": ["${pick(words)}"]},\n`,
  Chinese: () => String.fromCharCode(0x4e00 + random() * 3_000) + (random() < 0.06 ? "，" : ""),
  emoji: () => String.fromCodePoint(0x1f300 + Math.floor(random() * 500)) + pick(["", " ", "a"]),
};
function textOf(make, bytes) {
  const parts = [];
  for (let size = 0; size < bytes; ) {
    const part = make();
    parts.push(part);
    size += Buffer.byteLength(part);
  }
  return parts.join("");
}

/** `/api/show` of a model with cl100k_base; merges are what lower ranks leave of each token. */
function show() {
  const encoding = createRequire(import.meta.url)("tiktoken/encoders/cl100k_base.json");
  const ranked = encoding.bpe_ranks
    .split("\n")
    .flatMap((line) => line.split(" ").slice(2))
    .map((token) => Buffer.from(token, "base64").toString("latin1"));
  const rankOf = new Map(ranked.map((token, rank) => [token, rank]));
  const readable = (bytes) => Array.from(bytes, (byte) => byteSymbol(byte.charCodeAt(0))).join("");
  const merges = ranked.flatMap((token, rank) => {
    const parts = Array.from(token);
    while (parts.length > 2) {
      let best = 0;
      let bestRank = rank;
      for (let index = 0; index + 1 < parts.length; index++) {
        const found = rankOf.get(parts[index] + parts[index + 1]) ?? rank;
        if (found < bestRank) [best, bestRank] = [index, found];
      }
      parts.splice(best, 2, parts[best] + parts[best + 1]);
    }
    return token.length > 1 ? [parts.map(readable).join(" ")] : [];
  });
  const tokens = [...ranked.map(readable), "<|im_start|>", "<|im_end|>"];
  const keys = { model: "gpt2", pre: "llama-bpe", tokens, merges };
  keys.token_type = tokens.map((_, id) => (id < ranked.length ? 1 : 3));
  const info = Object.fromEntries(
    Object.entries(keys).map(([key, value]) => [`tokenizer.ggml.${key}`, value]),
  );
  return new Uint8Array(Buffer.from(JSON.stringify({ model_info: info }))).buffer;
}

/** Longest block of the main thread in milliseconds while `work` runs, and how long that took. */
async function watched(work) {
  await new Promise((resolve) => setTimeout(resolve, 20));
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const start = performance.now();
  await work();
  const ms = performance.now() - start;
  await new Promise((resolve) => setTimeout(resolve, 5));
  delay.disable();
  return { ms, blockedMs: Math.max(0, delay.max / 1e6 - 1) };
}

const folder = await mkdtemp(join(tmpdir(), "tokens-bench-"));
const reply = show();
const replyBytes = reply.byteLength;
const before = residentMegabytes();
const pool = new TokenizerPool({ folder });
const built = await watched(() => pool.load("bench", async () => reply));
results["from /api/show: ms"] = built.ms;
results["from /api/show: main thread blocked, ms"] = built.blockedMs;
results["size of /api/show: MB"] = replyBytes / 1e6;
results["memory after it: MB"] = residentMegabytes() - before;
await pool.close();

const again = new TokenizerPool({ folder });
results["from the folder: ms"] = (await watched(() => again.load("bench", async () => reply))).ms;

await again.count("bench", textOf(makers.prose, 2e6));
for (const [name, make] of Object.entries(makers)) {
  const text = textOf(make, 3e6);
  const { ms, blockedMs } = await watched(() => again.count("bench", text));
  results[`${name}, new: MB/s`] = megabytes(text) / (ms / 1e3);
  results[`${name}, 3 MB: main thread blocked, ms`] = blockedMs;
}
for (const run of ["a", " ", "汉", "🙂"]) {
  const { ms } = await watched(() => again.count("bench", run.repeat(200_000)));
  results[`200,000 x "${run}": ms`] = ms;
}
const huge = textOf(makers.prose, 1e7);
huge.charCodeAt(0);
const counted = await watched(() => again.count("bench", huge));
results["10 MB: MB/s"] = 10 / (counted.ms / 1e3);
results["10 MB: main thread blocked, ms"] = counted.blockedMs;

const turns = Array.from({ length: 40 }, (_, index) => {
  const role = index % 2 ? "assistant" : "user";
  return `<|im_start|>${role}\n${textOf(makers.prose, 3_200)}<|im_end|>\n`;
});
const conversation = turns.join("");
await again.count("bench", conversation);
const known = Array.from({ length: 300 }, () => {
  const start = performance.now();
  again.countKnown("bench", conversation);
  return performance.now() - start;
}).sort((a, b) => a - b);
results["128 KB conversation, known: ms (p50)"] = known[150];
results["128 KB conversation, known: ms (p99)"] = known[297];
const grown = await watched(() =>
  again.count("bench", `${conversation}<|im_start|>user\n${textOf(makers.prose, 3_200)}`),
);
results["the same with a new message of 3 KB: ms"] = grown.ms;

let start = performance.now();
byteBound(huge);
results["byte bound of 10 MB: ms"] = performance.now() - start;
start = performance.now();
estimateTokens(huge);
results["estimate of 10 MB: ms"] = performance.now() - start;
await again.close();
await rm(folder, { recursive: true });

console.table(
  Object.fromEntries(Object.entries(results).map(([name, value]) => [name, Number(value.toFixed(3))])),
);
if (process.argv[2]) writeFileSync(process.argv[2], `${JSON.stringify(results, null, 2)}\n`);

import { createRequire } from "node:module";
import type { Tiktoken } from "tiktoken/lite";
import { isHighSurrogate } from "./encoder.js";
import { stepExpression } from "./patterns.js";

/** tiktoken is quadratic on text that its pattern does not split: 64k letters take 5.2 s, cut like this 0.1 s. */
const LONGEST_RUN = 1_024;
const RUN = stepExpression(
  `[\\p{L}\\p{M}]{${LONGEST_RUN},}|\\s{${LONGEST_RUN},}|[^\\s\\p{L}\\p{N}]{${LONGEST_RUN},}`,
  "gu",
);

let encoder: Tiktoken | null = null;

/** Tokens by OpenAI's o200k_base; the first call takes 130-300 ms and 90 MB, so only the worker calls it. */
export function countO200k(text: string): number {
  encoder ??= loadEncoder();
  return encoder.encode_ordinary(text.replace(RUN, cutRun)).length;
}

function loadEncoder(): Tiktoken {
  const require = createRequire(import.meta.url);
  const lite = require("tiktoken/lite") as typeof import("tiktoken/lite");
  const ranks = require("tiktoken/encoders/o200k_base.json") as {
    bpe_ranks: string;
    pat_str: string;
  };
  return new lite.Tiktoken(ranks.bpe_ranks, {}, ranks.pat_str);
}

/** Breaks a run by a character that takes a token of its own and stands in for none. */
function cutRun(run: string): string {
  const parts: string[] = [];
  let start = 0;
  while (start < run.length) {
    let end = Math.min(start + LONGEST_RUN, run.length);
    if (end < run.length && isHighSurrogate(run.charCodeAt(end - 1))) end--;
    parts.push(run.slice(start, end));
    start = end;
  }
  return parts.join("0");
}

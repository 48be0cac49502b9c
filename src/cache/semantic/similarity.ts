/** How alike two questions are. */
import { unmatched } from "./guards/content.js";
import { type Difference, differenceBetween } from "./guards/index.js";
import { wordsIn } from "./words.js";

/** What the comparison of two questions gave. */
export interface Comparison {
  /** Cosine of the embeddings, -1..1. */
  readonly similarity: number;
  /** The cosine times the share of words that both have, which is what thresholds are about. */
  readonly score: number;
  /** What forbids a hit whatever the score is. */
  readonly difference: Difference | null;
}

/**
 * Compares two questions. The cosine alone ranks a question with one word changed above most paraphrases; times the
 * share of common words it finds 30 to 45 % of the paraphrases before the first 1 % of wrong ones, where the
 * cosine alone finds next to none (`npm run bench -- cache`).
 */
export function compare(a: string, b: string, similarity: number): Comparison {
  const { share } = unmatched(wordsIn(a), wordsIn(b));
  return { similarity, score: similarity * (1 - share), difference: differenceBetween(a, b) };
}

/** A vector of length 1; the cosine of two of these is their dot product. */
export function normalized(vector: readonly number[]): Float32Array {
  const length = Math.hypot(...vector);
  return Float32Array.from(vector, (value) => (length > 0 ? value / length : 0));
}

/** @example dotProduct(normalized([3, 4]), normalized([4, 3])) // 0.96 */
export function dotProduct(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let at = 0; at < a.length; at++) sum += a[at]! * b[at]!;
  return sum;
}

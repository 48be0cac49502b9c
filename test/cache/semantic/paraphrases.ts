/** The pairs of questions with their recorded likeness, and what a cache makes of them. */
import {
  type Comparison,
  compare,
  type LearnedThreshold,
  learnThreshold,
} from "../../../src/cache/semantic/index.js";
import type { Pair } from "../../fixtures/paraphrases/questions.mjs";

export type ComparedPair = Pair & Comparison;

export function comparedPairs(
  pairs: readonly Pair[],
  vectors: ReadonlyMap<string, readonly number[]>,
): ComparedPair[] {
  return pairs.map((pair) => {
    const [a, b] = [vectors.get(pair.a)!, vectors.get(pair.b)!];
    return {
      ...pair,
      ...compare(
        pair.a,
        pair.b,
        a.reduce((sum, value, at) => sum + value * b[at]!, 0),
      ),
    };
  });
}

/** What a threshold learned on some pairs does on others. */
export interface HeldOut {
  readonly learned: LearnedThreshold;
  readonly hits: number;
  readonly wrong: number;
  /** Of hits; 0 without hits. */
  readonly wrongShare: number;
  /** Of pairs that one reply is right for. */
  readonly recall: number;
}

export function heldOut(
  seen: readonly ComparedPair[],
  unseen: readonly ComparedPair[],
  bound: number,
): HeldOut {
  const samples = seen
    .filter(({ difference }) => difference === null)
    .map(({ score, isSame }) => ({ score, isRight: isSame }));
  const learned = learnThreshold(samples, bound);
  const threshold = learned.threshold ?? Number.POSITIVE_INFINITY;
  const hits = unseen.filter(({ difference, score }) => difference === null && score >= threshold);
  const wrong = hits.filter(({ isSame }) => !isSame).length;
  const right = unseen.filter(({ isSame }) => isSame).length;
  return {
    learned,
    hits: hits.length,
    wrong,
    wrongShare: hits.length === 0 ? 0 : wrong / hits.length,
    recall: (hits.length - wrong) / right,
  };
}

/** The best that any fixed threshold on the cosine reaches within a bound, were it chosen on these very pairs. */
export function bestFixedRecall(pairs: readonly ComparedPair[], bound: number): number {
  const sorted = [...pairs].sort((a, b) => b.similarity - a.similarity);
  const right = pairs.filter(({ isSame }) => isSame).length;
  let [wrong, best] = [0, 0];
  for (const [index, { isSame, similarity }] of sorted.entries()) {
    if (!isSame) wrong++;
    const hits = index + 1;
    if (sorted[hits]?.similarity !== similarity && wrong / hits <= bound) best = (hits - wrong) / right;
  }
  return best;
}

/** Two halves by chance; the same seed gives the same ones (mulberry32). */
export function halves<T>(items: readonly T[], seed: number): [T[], T[]] {
  let state = seed;
  const random = () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const parts: [T[], T[]] = [[], []];
  for (const item of items) parts[random() < 0.5 ? 0 : 1].push(item);
  return parts;
}

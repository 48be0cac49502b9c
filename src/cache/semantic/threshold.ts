/** From feedback to the lowest score at which wrong hits stay within a stated bound. */

/** A pair that was judged: how alike it was, and whether one reply is right for both. */
export interface FeedbackSample {
  readonly score: number;
  readonly isRight: boolean;
  /** Tells which pair it was; of one pair the newest judgement counts. */
  readonly pair?: string;
}

/** What was learned; `threshold` is null while there is not enough. */
export interface LearnedThreshold {
  /** Hits are at or above it; null: none are served. */
  readonly threshold: number | null;
  /** Judged pairs at or above it, and wrong ones among them. */
  readonly hits: number;
  readonly wrong: number;
  /** Judged pairs in all, and how many are needed at least when none of them is wrong. */
  readonly samples: number;
  readonly needed: number;
}

/** The bound holds with this probability. */
const CONFIDENCE = 0.95;

/**
 * The lowest threshold of which feedback shows, with 95 % confidence, that of as many further hits as were judged
 * at most `bound` will be wrong.
 *
 * That is a prediction limit (Thatcher, "Relationships between Bayesian and Confidence Limits for Predictions",
 * Journal of the Royal Statistical Society B 26, 1964) and stricter than the limit of Clopper and Pearson
 * (Biometrika 26, 1934) for the rate behind them: that one lets the hits themselves pass the bound every other time
 * when the rate lies at it. Thresholds are tried from high to low, each some hits further down, until the first
 * that fails: fixed-sequence testing keeps the confidence for all of them together (Angelopoulos, Bates, Candès,
 * Jordan, Lei, "Learn then Test", 2021, section 3). The steps depend on scores alone and never on the judgements.
 *
 * It is about questions like those that were judged: others prove nothing.
 *
 * @param bound share of hits that may be wrong, in (0, 1)
 * @example
 * const right = Array.from({ length: 400 }, (_, index) => ({ score: 1 - index / 1000, isRight: true }));
 * learnThreshold(right, 0.01) // { threshold: 0.601, hits: 400, wrong: 0, samples: 400, needed: 400 }
 * learnThreshold(right.slice(0, 200), 0.01).threshold // null
 */
export function learnThreshold(samples: readonly FeedbackSample[], bound: number): LearnedThreshold {
  const needed = leastHits(bound);
  const sorted = [...samples].sort((a, b) => b.score - a.score);
  let found: LearnedThreshold = { threshold: null, hits: 0, wrong: 0, samples: samples.length, needed };
  let wrong = 0;
  // The first test is the first that can succeed; each further one adds a quarter of that, so that they are few.
  let next = needed;
  for (const [index, { score, isRight }] of sorted.entries()) {
    if (!isRight) wrong++;
    const hits = index + 1;
    // Pairs of one score come in together.
    if (hits < next || sorted[hits]?.score === score) continue;
    if (!isShown(wrong, hits, bound)) break;
    found = { ...found, threshold: score, hits, wrong };
    next = hits + Math.ceil(needed / 4);
  }
  return found;
}

/**
 * Whether `wrong` of `hits` show that of as many further ones at most `bound` are wrong: were it one more than that,
 * so few of all wrong ones would lie in the first half in less than 5 % of all orders.
 */
function isShown(wrong: number, hits: number, bound: number): boolean {
  const all = wrong + Math.floor(bound * hits) + 1;
  return halfHolds(wrong, all, hits) <= 1 - CONFIDENCE;
}

function leastHits(bound: number): number {
  let hits = 1;
  while (!isShown(0, hits, bound)) hits++;
  return hits;
}

/**
 * The probability that of `marked` ones among `2 * half`, at most `count` lie in the first half (hypergeometric).
 *
 * @example halfHolds(0, 5, 400) // 0.0309
 * @example halfHolds(2, 5, 10) // 0.5
 */
export function halfHolds(count: number, marked: number, half: number): number {
  let sum = 0;
  for (let in1 = Math.max(0, marked - half); in1 <= Math.min(count, marked, half); in1++) {
    sum += Math.exp(logBinomial(half, in1) + logBinomial(half, marked - in1) - logBinomial(2 * half, marked));
  }
  return Math.min(1, sum);
}

function logBinomial(n: number, k: number): number {
  let log = 0;
  for (let step = 1; step <= k; step++) log += Math.log((n - k + step) / step);
  return log;
}

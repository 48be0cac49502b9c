/** What recent calls needed, the older the less. */

/** Calls after which a need counts half: a single one-off drops out of the p99 after 34 calls. */
const HALF_LIFE_CALLS = 16;
/** At most this many recent needs are kept. */
export const RECENT_NEEDS = 64;
/** At most this many largest needs are kept. */
export const LARGEST_NEEDS = 6;

/**
 * Recency-weighted 99th percentile.
 *
 * @param needs tokens, newest last
 * @returns tokens; 0 when nothing is known
 * @example weightedP99([20000, ...Array(60).fill(900)]) // 900
 */
export function weightedP99(needs: readonly number[]): number {
  const weights = needs.map((_, index) => 0.5 ** ((needs.length - 1 - index) / HALF_LIFE_CALLS));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const largestFirst = needs.map((_, index) => index).sort((a, b) => needs[b]! - needs[a]!);
  let above = 0;
  for (const index of largestFirst) {
    above += weights[index]!;
    if (above > 0.01 * total) return needs[index]!;
  }
  return 0;
}

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
  const weighted = needs.map((need, index) => ({
    need,
    weight: 0.5 ** ((needs.length - 1 - index) / HALF_LIFE_CALLS),
  }));
  const total = weighted.reduce((sum, item) => sum + item.weight, 0);
  weighted.sort((a, b) => b.need - a.need);
  let above = 0;
  for (const { need, weight } of weighted) {
    above += weight;
    if (above > 0.01 * total) return need;
  }
  return 0;
}

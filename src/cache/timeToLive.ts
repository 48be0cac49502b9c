/** How long an entry lives, learned from how long entries wait for their next use. */

/** Gaps between uses by power of two: bucket i counts gaps from 2^(i-1) to below 2^i seconds, bucket 0 below 1. */
export type GapCounts = readonly number[];

/** Too few gaps say nothing about their tail. */
export const GAPS_NEEDED = 20;
const SHARE = 0.95;
const SHORTEST_SECONDS = 60;
/** 36 days: longer gaps are not worth their place. */
const BUCKETS = 23;

/**
 * The counts with one more gap.
 *
 * @param seconds >= 0; others are left out
 * @example withGap([], 5) // [0, 0, 0, 1]
 */
export function withGap(gaps: GapCounts, seconds: number): GapCounts {
  if (!(seconds >= 0)) return gaps;
  const bucket = Math.min(BUCKETS - 1, seconds < 1 ? 0 : Math.floor(Math.log2(seconds)) + 1);
  const length = Math.max(gaps.length, bucket + 1);
  return Array.from({ length }, (_, index) => (gaps[index] ?? 0) + (index === bucket ? 1 : 0));
}

/**
 * A time to live that 95 % of the gaps fit into: the upper end of the bucket that holds the quantile, so at most
 * twice what is needed. Gaps longer than the present time to live must be among them (an expired entry that is
 * asked for again), or it could only shrink.
 *
 * @returns seconds, at least 60; null with fewer than 20 gaps
 * @example learnedTtlSeconds([0, 0, 0, 0, 0, 0, 0, 0, 30]) // 256
 * @example learnedTtlSeconds([3]) // null
 */
export function learnedTtlSeconds(gaps: GapCounts): number | null {
  const total = gaps.reduce((sum, count) => sum + count, 0);
  if (total < GAPS_NEEDED) return null;
  let within = 0;
  for (const [bucket, count] of gaps.entries()) {
    within += count;
    if (within >= SHARE * total) return Math.max(SHORTEST_SECONDS, 2 ** bucket);
  }
  return 2 ** (BUCKETS - 1);
}

/**
 * Mergeable histograms with logarithmic buckets: two of them add up bucket by bucket, whoever counted.
 * DDSketch without its collapsing (Masson, Rim, Lee 2019, https://arxiv.org/abs/1908.10693).
 */
import type { Histogram } from "../records.js";

/** Ratio of neighbouring bucket bounds; a quantile is at most (g - 1) / (g + 1) = 2.4 % off. */
const GROWTH = 1.05;
const LOG_GROWTH = Math.log(GROWTH);

/**
 * The bucket of a value: i holds (1.05^(i-1), 1.05^i], 0 also everything below 1.
 *
 * @example bucketOf(100) // 95
 */
export function bucketOf(value: number): number {
  return value <= 1 ? 0 : Math.ceil(Math.log(value) / LOG_GROWTH - 1e-9);
}

/** The middle of a bucket, where its relative error is the same to both sides. */
function middleOf(bucket: number): number {
  return bucket === 0 ? 1 : (2 * GROWTH ** bucket) / (1 + GROWTH);
}

/**
 * A histogram of one value, as an increment for a store. What is not a finite number from 0 up counts as not
 * measured.
 *
 * @example histogramOf(100) // { "95": 1 }
 * @example histogramOf(null) // {}
 */
export function histogramOf(value: number | null): Histogram {
  return value === null || !Number.isFinite(value) || value < 0 ? {} : { [bucketOf(value)]: 1 };
}

/** Buckets with their counts, ascending; keys that are no bucket (a damaged record) are left out. */
function entries(histogram: Histogram): [bucket: number, count: number][] {
  const found: [bucket: number, count: number][] = [];
  for (const key of Object.keys(histogram)) {
    const [bucket, count] = [Number(key), histogram[key]!];
    if (Number.isInteger(bucket) && bucket >= 0 && count > 0) found.push([bucket, count]);
  }
  return found.sort(([a], [b]) => a - b);
}

/**
 * Both histograms in one.
 *
 * @example merge({ "3": 1 }, { "3": 2, "5": 1 }) // { "3": 3, "5": 1 }
 */
export function merge(a: Histogram, b: Histogram): Histogram {
  const sum = new Map(entries(a));
  for (const [bucket, count] of entries(b)) sum.set(bucket, (sum.get(bucket) ?? 0) + count);
  return Object.fromEntries(sum);
}

/** A histogram with one value more; unchanged for what {@link histogramOf} does not count. */
export function add(histogram: Histogram, value: number | null): Histogram {
  return merge(histogram, histogramOf(value));
}

/** Number of values. */
export function total(histogram: Histogram): number {
  return entries(histogram).reduce((sum, [, count]) => sum + count, 0);
}

/** Mean, at most 2.4 % off; null when empty. */
export function mean(histogram: Histogram): number | null {
  const count = total(histogram);
  if (count === 0) return null;
  return entries(histogram).reduce((sum, [bucket, n]) => sum + n * middleOf(bucket), 0) / count;
}

/**
 * The smallest value that at least the share `q` of all values does not exceed, at most 2.4 % off.
 *
 * @param q 0..1
 * @returns null when empty
 * @example quantile({ "0": 1, "95": 1 }, 0.99) // 100.5
 */
export function quantile(histogram: Histogram, q: number): number | null {
  const sorted = entries(histogram);
  const last = sorted.at(-1);
  if (last === undefined) return null;
  const rank = q * sorted.reduce((sum, [, count]) => sum + count, 0);
  let seen = 0;
  for (const [bucket, count] of sorted) {
    seen += count;
    if (seen >= rank) return middleOf(bucket);
  }
  return middleOf(last[0]);
}

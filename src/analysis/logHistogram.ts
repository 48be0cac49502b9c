/** A distribution in logarithmic buckets: constant memory, no sorting, quantiles at most 1 % off (DDSketch, Masson et al. 2019). */

const GROWTH = 1.02;
const LOG_GROWTH = Math.log(GROWTH);
/** Up to 25 s; longer ones widen it. */
const FIRST_BUCKETS = 512;

/** @example
 * const times = new LogHistogram();
 * for (const ms of [100, 200, 300]) times.add(ms);
 * Math.round(times.quantile(0.5) / 10) // 20
 */
export class LogHistogram {
  private counts = new Uint32Array(FIRST_BUCKETS);
  private below = 0;
  count = 0;

  /** @param value from 0 up; below 1 is one bucket */
  add(value: number): void {
    this.count++;
    if (value < 1) {
      this.below++;
      return;
    }
    const bucket = Math.floor(Math.log(value) / LOG_GROWTH);
    if (bucket >= this.counts.length) this.widen(bucket);
    this.counts[bucket]!++;
  }

  merge(other: LogHistogram): void {
    if (other.counts.length > this.counts.length) this.widen(other.counts.length - 1);
    for (const [bucket, count] of other.counts.entries()) this.counts[bucket]! += count;
    this.below += other.below;
    this.count += other.count;
  }

  /** NaN when empty. */
  quantile(share: number): number {
    if (this.count === 0) return Number.NaN;
    const rank = share * this.count;
    let seen = this.below;
    if (seen >= rank && seen > 0) return 0.5;
    let last = 0;
    for (const [bucket, count] of this.counts.entries()) {
      if (count === 0) continue;
      seen += count;
      last = bucket;
      if (seen >= rank) break;
    }
    return (2 * GROWTH ** (last + 1)) / (1 + GROWTH);
  }

  private widen(bucket: number): void {
    const counts = new Uint32Array(Math.max(2 * this.counts.length, bucket + 1));
    counts.set(this.counts);
    this.counts = counts;
  }
}

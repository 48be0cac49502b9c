/**
 * A distribution in little memory: counts per logarithmic bucket, the buckets of the store's own histograms
 * (`optimizer/histogram.ts`), in an array over those that were seen.
 *
 * Response times of one model cover about 95 buckets: 380 bytes, 20-120 ns a value, quantiles at most 2.4 % off.
 * hdr-histogram-js was measured on the same 20,000 values: with one digit 1.6-2.2 KB, 350 ns and up to 6 % off; with
 * two digits 9.2 KB (packed 3.3 KB, and 1,300 ns). A monitor holds thousands of these, so these it is.
 */
import type { Histogram } from "../records.js";

/** Room for neighbours when the array grows, so that it does not grow with every value. */
const MARGIN = 4;
/** What V8 holds for a typed array beside its elements (measured, Node 20). */
const ARRAY_BYTES = 200;
const NONE = new Uint32Array(0);

export class Sketch {
  private first = 0;
  private counts: Uint32Array = NONE;

  /** Memory held, in bytes. */
  get bytes(): number {
    return this.counts === NONE ? 0 : ARRAY_BYTES + this.counts.byteLength;
  }

  /**
   * @param bucket as `bucketOf` tells
   * @returns by how many bytes it grew
   */
  add(bucket: number, count: number = 1): number {
    const index = bucket - this.first;
    if (index >= 0 && index < this.counts.length) {
      this.counts[index]! += count;
      return 0;
    }
    const before = this.bytes;
    this.cover(bucket);
    this.counts[bucket - this.first]! += count;
    return this.bytes - before;
  }

  forEach(visit: (bucket: number, count: number) => void): void {
    this.counts.forEach((count, index) => {
      if (count > 0) visit(this.first + index, count);
    });
  }

  histogram(): Histogram {
    const histogram: Record<string, number> = {};
    this.forEach((bucket, count) => {
      histogram[bucket] = count;
    });
    return histogram;
  }

  private cover(bucket: number): void {
    const below = Math.max(0, bucket - MARGIN);
    const above = bucket + MARGIN;
    const isEmpty = this.counts === NONE;
    const first = isEmpty ? below : Math.min(this.first, below);
    const end = isEmpty ? above : Math.max(this.first + this.counts.length, above);
    const counts = new Uint32Array(end - first);
    if (!isEmpty) counts.set(this.counts, this.first - first);
    this.first = first;
    this.counts = counts;
  }
}

/** Calls over time for a chart, however long the time is. */
import type { Call } from "./call.js";
import { entryOf } from "./entryOf.js";
import { LogHistogram } from "./logHistogram.js";
import type { ChartPoint } from "./types.js";

const FIRST_WIDTH_MS = 60_000;
/** Points at most; half of them at least, once there are so many minutes. */
const MOST = 96;

interface Bucket {
  errors: number;
  calls: number;
  readonly responses: LogHistogram;
}

function newBucket(): Bucket {
  return { errors: 0, calls: 0, responses: new LogHistogram() };
}

/** Buckets of a minute, of two, of four: whenever there are too many, neighbours become one. */
export class ChartSeries {
  private widthMs = FIRST_WIDTH_MS;
  private buckets = new Map<number, Bucket>();
  private first = Number.POSITIVE_INFINITY;
  private last = Number.NEGATIVE_INFINITY;

  takeCall({ record, at }: Call): void {
    const bucket = this.bucket(at);
    bucket.calls++;
    if (record.error !== null) bucket.errors++;
    else if (record.totalMs !== null) bucket.responses.add(record.totalMs);
  }

  /** Buckets without calls are there too, or a line would hide the pause. */
  points(): ChartPoint[] {
    const indexes = [...this.buckets.keys()];
    if (indexes.length === 0) return [];
    const first = Math.min(...indexes);
    return Array.from({ length: Math.max(...indexes) - first + 1 }, (_, offset) => {
      const bucket = this.buckets.get(first + offset);
      const quantile = (share: number) => (bucket?.responses.count ? bucket.responses.quantile(share) : null);
      return {
        at: new Date((first + offset) * this.widthMs).toISOString(),
        calls: bucket?.calls ?? 0,
        errors: bucket?.errors ?? 0,
        p10: quantile(0.1),
        p50: quantile(0.5),
        p90: quantile(0.9),
      };
    });
  }

  private bucket(at: number): Bucket {
    this.first = Math.min(this.first, at);
    this.last = Math.max(this.last, at);
    while (this.last - this.first >= MOST * this.widthMs) this.halve();
    const index = Math.floor(at / this.widthMs);
    const bucket = this.buckets.get(index) ?? entryOf(this.buckets, index, newBucket);
    return bucket;
  }

  private halve(): void {
    this.widthMs *= 2;
    const wider = new Map<number, Bucket>();
    for (const [index, bucket] of this.buckets) {
      const half = Math.floor(index / 2);
      const target = wider.get(half);
      if (!target) {
        wider.set(half, bucket);
        continue;
      }
      target.calls += bucket.calls;
      target.errors += bucket.errors;
      target.responses.merge(bucket.responses);
    }
    this.buckets = wider;
  }
}

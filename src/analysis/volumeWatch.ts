/** Watches how many requests come: surges at once, drops when their bucket of time is over. */
import type { Call } from "./call.js";
import { RobustWindow } from "./robustWindow.js";
import type { Anomaly } from "./types.js";
import { whole } from "./words.js";

/** A week of hours. */
const WINDOW = 168;
const MINIMUM = 24;
/** Two-sided limit: with a bucket an hour, chance alone makes one alarm in three months. */
const LIMIT = 3.5;

/**
 * Counts become nearly normal with spread 1 by 2 sqrt(n + 3/8) (Anscombe 1948) where they are Poisson; where they
 * vary more, the MAD says how much.
 */
const stabilized = (count: number): number => 2 * Math.sqrt(count + 0.375);
const counted = (value: number): number => Math.max(0, (value / 2) ** 2 - 0.375);

export class VolumeWatch {
  private readonly baseline = new RobustWindow(WINDOW);
  private bucket: number | null = null;
  private count = 0;
  private told = false;

  constructor(private readonly bucketMs: number) {}

  take({ record, at }: Call): readonly Anomaly[] {
    const bucket = Math.floor(at / this.bucketMs);
    this.bucket ??= bucket;
    const found: Anomaly[] = [];
    // The log is in order of the ends of calls: one that began in the bucket before counts for this one.
    if (bucket > this.bucket) {
      const drop = this.close(record.at);
      if (drop) found.push(drop);
      // Buckets without any request count too, as many as could matter.
      const empty = Math.min(bucket - this.bucket - 1, WINDOW);
      for (let index = 0; index < empty; index++) this.baseline.push(stabilized(0));
      this.bucket = bucket;
      this.count = 0;
      this.told = false;
    }
    this.count++;
    const z = this.z(this.count);
    if (!this.told && z > LIMIT) {
      this.told = true;
      found.push(this.anomaly(z, record.at, "worse"));
    }
    return found;
  }

  private close(noticedAt: string): Anomaly | null {
    const z = this.z(this.count);
    const drop = z < -LIMIT ? this.anomaly(z, noticedAt, "worse") : null;
    this.baseline.push(stabilized(this.count));
    return drop;
  }

  /** 0 while too little is known. */
  private z(count: number): number {
    if (this.baseline.count < MINIMUM) return 0;
    return (stabilized(count) - this.baseline.median) / Math.max(1, this.baseline.sigma);
  }

  private anomaly(z: number, noticedAt: string, direction: "worse"): Anomaly {
    const expected = counted(this.baseline.median);
    const at = new Date(this.bucket! * this.bucketMs).toISOString();
    const minutes = Math.round(this.bucketMs / 60_000);
    return {
      key: JSON.stringify(["volume", z > 0]),
      kind: "volume",
      metric: "requests",
      group: null,
      at,
      noticedAt,
      requestId: null,
      expected,
      found: this.count,
      ratio: this.count / Math.max(expected, 1),
      direction,
      score: Math.abs(z),
      cause: null,
      text: `${whole(this.count)} requests within ${minutes} minutes from ${at}, where ${whole(expected)} are usual.`,
    };
  }
}

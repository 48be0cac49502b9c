/** Watches how many requests come: surges at once, drops when their bucket of time is over. */
import type { Call } from "./call.js";
import { RobustWindow } from "./robustWindow.js";
import type { Anomaly } from "./types.js";
import { whole } from "./words.js";

/** A week of hours. */
const WINDOW = 168;
const MINIMUM = 24;
/** Two-sided limit. Small counts are skewed: 3.5 gave a false alarm in 1,000 hours of Poisson traffic, 4.5 none in 40,000. */
const LIMIT = 4.5;

/**
 * Counts become nearly normal with spread 1 by 2 sqrt(n + 3/8) (Anscombe 1948) where they are Poisson; where they
 * vary more, the MAD says how much.
 */
const stabilized = (count: number): number => 2 * Math.sqrt(count + 0.375);
const counted = (value: number): number => Math.max(0, (value / 2) ** 2 - 0.375);

const NOTHING: readonly Anomaly[] = [];

export class VolumeWatch {
  private readonly baseline = new RobustWindow(WINDOW);
  private bucket: number | null = null;
  private count = 0;
  private told = false;
  private most = Number.POSITIVE_INFINITY;

  constructor(private readonly bucketMs: number) {}

  take({ record, at }: Call): readonly Anomaly[] {
    const bucket = Math.floor(at / this.bucketMs);
    this.bucket ??= bucket;
    // The log is in order of the ends of calls: one that began in the bucket before counts for this one.
    if (bucket <= this.bucket) {
      this.count++;
      return this.count > this.most && !this.told ? [this.surged(record.at)] : NOTHING;
    }
    const drop = this.close(record.at);
    // Buckets without any request count too, as many as could matter.
    const empty = Math.min(bucket - this.bucket - 1, WINDOW);
    for (let index = 0; index < empty; index++) this.baseline.push(stabilized(0));
    this.bucket = bucket;
    this.count = 1;
    this.told = false;
    this.most = this.surge();
    return drop ? [drop] : NOTHING;
  }

  private surged(noticedAt: string): Anomaly {
    this.told = true;
    return this.anomaly(this.z(this.count), noticedAt);
  }

  private close(noticedAt: string): Anomaly | null {
    const z = this.z(this.count);
    const drop = z < -LIMIT ? this.anomaly(z, noticedAt) : null;
    this.baseline.push(stabilized(this.count));
    return drop;
  }

  /** The largest count that is no surge. */
  private surge(): number {
    const { count, median, sigma } = this.baseline;
    return count < MINIMUM ? Number.POSITIVE_INFINITY : counted(median + LIMIT * Math.max(1, sigma));
  }

  /** 0 while too little is known. */
  private z(count: number): number {
    if (this.baseline.count < MINIMUM) return 0;
    return (stabilized(count) - this.baseline.median) / Math.max(1, this.baseline.sigma);
  }

  private anomaly(z: number, noticedAt: string): Anomaly {
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
      direction: "worse",
      score: Math.abs(z),
      cause: null,
      text: `${whole(this.count)} requests within ${minutes} minutes from ${at}, where ${whole(expected)} are usual.`,
    };
  }
}

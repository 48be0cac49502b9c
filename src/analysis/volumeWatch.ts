/** Watches how many requests come: surges at once, drops when their bucket of time is over. */
import type { Call } from "./call.js";
import { RobustWindow } from "./robustWindow.js";
import type { Anomaly } from "./types.js";
import { moment, whole } from "./words.js";

const DAY_MS = 86_400_000;
const WEEK_MS = 7 * DAY_MS;
/** Buckets of a week are looked back on, but so many at least and at most. */
const LEAST = 28;
const MOST = 2016;
/** What lies between these shares of a week's buckets is the spread of busy times. */
const BUSY = 0.95;
const USUAL = 0.75;
/** A surge lies so many spreads above the busy times: none in 40,000 hours of Poisson traffic, one in 40,000 of an office. */
const SURGE = 3;
/** A drop lies so far below the same time yesterday and a week ago: 4.5 standard deviations of a difference. */
const DROP = 4.5 * Math.SQRT2;

/**
 * Poisson counts become nearly normal with spread 1 by 2 sqrt(n + 3/8) (Anscombe 1948). Nights, mornings and weekends
 * differ so much that one mean for all hours would call each working day a surge: busy times are compared with busy
 * times, and a quiet hour with the same hour before.
 */
const stabilized = (count: number): number => 2 * Math.sqrt(count + 0.375);
const counted = (value: number): number => Math.max(0, (value / 2) ** 2 - 0.375);

const NOTHING: readonly Anomaly[] = [];

export class VolumeWatch {
  private readonly week: RobustWindow;
  /** Counts of the last buckets, by number of the bucket. */
  private readonly counts = new Map<number, number>();
  private readonly kept: number;
  private bucket: number | null = null;
  private count = 0;
  private told = false;
  /** The bucket before had a drop: one that goes on is told once. */
  private isDown = false;
  private most = Number.POSITIVE_INFINITY;

  constructor(private readonly bucketMs: number) {
    this.kept = Math.max(LEAST, Math.min(MOST, Math.ceil(WEEK_MS / bucketMs)));
    this.week = new RobustWindow(this.kept);
  }

  take({ record, at }: Call): readonly Anomaly[] {
    const bucket = Math.floor(at / this.bucketMs);
    this.bucket ??= bucket;
    // The log is in order of the ends of calls: one that began in the bucket before counts for this one.
    if (bucket <= this.bucket) {
      this.count++;
      return this.count > this.most && !this.told ? [this.surged(record.at)] : NOTHING;
    }
    let drop = this.close(this.bucket, this.count, record.at);
    // Buckets without any request count too, as many as could matter.
    const empty = Math.min(bucket - this.bucket - 1, this.kept);
    for (let at = bucket - empty; at < bucket; at++) drop = this.close(at, 0, record.at) ?? drop;
    this.bucket = bucket;
    this.count = 1;
    this.told = false;
    this.most = this.surgeFrom();
    return drop ? [drop] : NOTHING;
  }

  private surged(noticedAt: string): Anomaly {
    this.told = true;
    const usual = this.week.quantile(BUSY);
    const score = stabilized(this.count) - usual;
    return this.anomaly({
      bucket: this.bucket!,
      count: this.count,
      expected: counted(usual),
      score,
      noticedAt,
    });
  }

  private close(bucket: number, count: number, noticedAt: string): Anomaly | null {
    const [yesterday, weekAgo] = [DAY_MS, WEEK_MS].map((ms) =>
      this.counts.get(bucket - Math.round(ms / this.bucketMs)),
    );
    const expected = Math.min(yesterday ?? 0, weekAgo ?? 0);
    const score = stabilized(expected) - stabilized(count);
    const isDrop = score > DROP;
    const drop = isDrop && !this.isDown ? this.anomaly({ bucket, count, expected, score, noticedAt }) : null;
    this.isDown = isDrop;
    this.remember(bucket, count);
    return drop;
  }

  private remember(bucket: number, count: number): void {
    this.week.push(stabilized(count));
    this.counts.set(bucket, count);
    this.counts.delete(bucket - this.kept - 1);
  }

  /** The largest count that is no surge. */
  private surgeFrom(): number {
    if (this.week.count < this.kept) return Number.POSITIVE_INFINITY;
    const busy = this.week.quantile(BUSY);
    return counted(busy + SURGE * Math.max(1, busy - this.week.quantile(USUAL)));
  }

  private anomaly(found: {
    readonly bucket: number;
    readonly count: number;
    readonly expected: number;
    readonly score: number;
    readonly noticedAt: string;
  }): Anomaly {
    const { bucket, count, expected, score, noticedAt } = found;
    const at = new Date(bucket * this.bucketMs).toISOString();
    const minutes = Math.round(this.bucketMs / 60_000);
    return {
      key: `volume ${count > expected ? "surge" : "drop"}`,
      kind: "volume",
      metric: "requests",
      group: null,
      at,
      noticedAt,
      requestId: null,
      expected,
      found: count,
      ratio: count / Math.max(expected, 1),
      direction: "worse",
      score,
      cause: null,
      text: `${whole(count)} requests within ${minutes} minutes from ${moment(at)}, where ${whole(expected)} are usual.`,
    };
  }
}

/** What is kept of the calls of one span of time, and the figures that a person reads from it. */
import { bucketOf, mean, quantile } from "../optimizer/histogram.js";
import type { Point } from "./point.js";
import { Sketch } from "./sketch.js";

/** A distribution in figures, at most 2.4 % off; null when nothing was measured. */
export interface Spread {
  readonly mean: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
}

/** Mean and most of what was sampled; null when nothing was. */
export interface Level {
  readonly mean: number;
  readonly most: number;
}

/** Calls of one span of time. Times in milliseconds, tokens in counts. */
export interface MonitorFigures {
  readonly calls: number;
  readonly errors: number;
  readonly responseMs: Spread | null;
  readonly timeToFirstTokenMs: Spread | null;
  /** Output tokens per second; p99 is the fastest. */
  readonly tokensPerSecond: Spread | null;
  readonly promptTokens: number;
  readonly outputTokens: number;
  /** Prompt tokens that the server's prefix cache saved. */
  readonly cachedTokens: number;
  readonly reloads: number;
  readonly reloadMs: number;
  /** The machine, while calls ran. */
  readonly cpuPercent: Level | null;
  readonly memoryPercent: Level | null;
  /** The loaded model, in bytes. */
  readonly modelBytes: Level | null;
  /** Share of it outside GPU memory, 0..1. */
  readonly spilledShare: Level | null;
}

/** Rates are kept tenfold, so that slow models (below 1 token a second) still differ. */
const RATE_SCALE = 10;
/** An object with its numbers, measured. */
const TALLY_BYTES = 700;

class Sum {
  sum = 0;
  count = 0;
  most = 0;

  add(value: number | null): void {
    if (value === null) return;
    this.sum += value;
    this.count++;
    if (value > this.most) this.most = value;
  }

  addTo(other: Sum): void {
    other.sum += this.sum;
    other.count += this.count;
    if (this.most > other.most) other.most = this.most;
  }

  level(): Level | null {
    return this.count === 0 ? null : { mean: this.sum / this.count, most: this.most };
  }
}

/** The buckets of a point: found once, counted in every tally it belongs to. -1 where nothing was measured. */
export interface Buckets {
  readonly response: number;
  readonly firstToken: number;
  readonly rate: number;
}

export function bucketsOf(point: Point): Buckets {
  return {
    response: point.totalMs === null ? -1 : bucketOf(point.totalMs),
    firstToken: point.timeToFirstTokenMs === null ? -1 : bucketOf(point.timeToFirstTokenMs),
    rate: point.tokensPerSecond === null ? -1 : bucketOf(RATE_SCALE * point.tokensPerSecond),
  };
}

export class Tally {
  private calls = 0;
  private errors = 0;
  private promptTokens = 0;
  private outputTokens = 0;
  private cachedTokens = 0;
  private readonly reload = new Sum();
  private readonly cpu = new Sum();
  private readonly memory = new Sum();
  private readonly model = new Sum();
  private readonly spill = new Sum();
  private readonly response = new Sketch();
  private readonly firstToken = new Sketch();
  private readonly rate = new Sketch();

  /** Memory held, in bytes. */
  get bytes(): number {
    return TALLY_BYTES + this.response.bytes + this.firstToken.bytes + this.rate.bytes;
  }

  add(point: Point, buckets: Buckets): void {
    this.calls++;
    if (point.isError) this.errors++;
    this.promptTokens += point.promptTokens;
    this.outputTokens += point.outputTokens;
    this.cachedTokens += point.cachedTokens;
    this.reload.add(point.reloadMs);
    this.cpu.add(point.cpuPercent);
    this.memory.add(point.memoryPercent);
    this.model.add(point.modelBytes);
    this.spill.add(point.spilledShare);
    if (buckets.response >= 0) this.response.add(buckets.response);
    if (buckets.firstToken >= 0) this.firstToken.add(buckets.firstToken);
    if (buckets.rate >= 0) this.rate.add(buckets.rate);
  }

  addTo(sum: Tally): void {
    sum.calls += this.calls;
    sum.errors += this.errors;
    sum.promptTokens += this.promptTokens;
    sum.outputTokens += this.outputTokens;
    sum.cachedTokens += this.cachedTokens;
    this.reload.addTo(sum.reload);
    this.cpu.addTo(sum.cpu);
    this.memory.addTo(sum.memory);
    this.model.addTo(sum.model);
    this.spill.addTo(sum.spill);
    this.response.addTo(sum.response);
    this.firstToken.addTo(sum.firstToken);
    this.rate.addTo(sum.rate);
  }

  figures(): MonitorFigures {
    return {
      calls: this.calls,
      errors: this.errors,
      responseMs: spread(this.response),
      timeToFirstTokenMs: spread(this.firstToken),
      tokensPerSecond: spread(this.rate, RATE_SCALE),
      promptTokens: this.promptTokens,
      outputTokens: this.outputTokens,
      cachedTokens: this.cachedTokens,
      reloads: this.reload.count,
      reloadMs: this.reload.sum,
      cpuPercent: this.cpu.level(),
      memoryPercent: this.memory.level(),
      modelBytes: this.model.level(),
      spilledShare: this.spill.level(),
    };
  }
}

function spread(sketch: Sketch, scale: number = 1): Spread | null {
  const histogram = sketch.histogram();
  const average = mean(histogram);
  if (average === null) return null;
  const at = (share: number): number => quantile(histogram, share)! / scale;
  return { mean: average / scale, p50: at(0.5), p90: at(0.9), p99: at(0.99) };
}

/** What is kept of the calls of one span of time, and the figures that a person reads from it. */
import { bucketOf, mean, quantile } from "../optimizer/histogram.js";
import type { Histogram } from "../records.js";
import { Distributions } from "./distributions.js";
import type { Point } from "./point.js";

/** A distribution in figures, at most 2.4 % off from 1 up (a tenth, for rates): what is less counts as that. */
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
  /** The machine, while calls ran; told with all calls only. */
  readonly cpuPercent: Level | null;
  readonly memoryPercent: Level | null;
  /** All its GPUs together. */
  readonly gpuPercent: Level | null;
  readonly gpuMemoryPercent: Level | null;
  /** The loaded model, in bytes; not told by template. */
  readonly modelBytes: Level | null;
  /** Share of it outside GPU memory, 0..1. */
  readonly spilledShare: Level | null;
}

/** Rates are kept tenfold, so that slow models (below 1 token a second) still differ. */
const RATE_SCALE = 10;
/** An object with its numbers and an empty list, measured; and one with a sum. */
const TALLY_BYTES = 220;
const SUM_BYTES = 96;
/** 16 years in milliseconds: no bucket above it, or one absurd value would take as much memory as a day. */
const LARGEST_BUCKET = 550;
/** Distributions of a tally. */
const RESPONSE = 0;
const FIRST_TOKEN = 1;
const RATE = 2;
const METRICS = 3;

class Sum {
  sum = 0;
  count = 0;
  most = 0;

  add(value: number): void {
    this.sum += value;
    this.count++;
    if (value > this.most) this.most = value;
  }

  addTo(other: Sum): void {
    other.sum += this.sum;
    other.count += this.count;
    if (this.most > other.most) other.most = this.most;
  }

  level(): Level {
    return { mean: this.sum / this.count, most: this.most };
  }
}

/**
 * Whose calls a tally counts. The machine is told of for all calls only, as it is the same for each, and a model's
 * memory not by template.
 */
export type Whose = "all" | "model" | "template";

/** The buckets of a point: found once, counted in every tally it belongs to. -1 where nothing was measured. */
export interface Buckets {
  readonly response: number;
  readonly firstToken: number;
  readonly rate: number;
}

export function bucketsOf(point: Point): Buckets {
  return {
    response: bucket(point.totalMs),
    firstToken: bucket(point.timeToFirstTokenMs),
    rate: bucket(point.tokensPerSecond === null ? null : RATE_SCALE * point.tokensPerSecond),
  };
}

function bucket(value: number | null): number {
  return value === null ? -1 : Math.min(LARGEST_BUCKET, bucketOf(value));
}

export class Tally {
  /** Memory held, in bytes. */
  bytes: number = TALLY_BYTES;
  private calls = 0;
  private errors = 0;
  private promptTokens = 0;
  private outputTokens = 0;
  private cachedTokens = 0;
  private readonly distributions = new Distributions(METRICS);
  /** Made when something was measured: most tallies have none of them. */
  private reload: Sum | null = null;
  private cpu: Sum | null = null;
  private memory: Sum | null = null;
  private gpu: Sum | null = null;
  private gpuMemory: Sum | null = null;
  private model: Sum | null = null;
  private spill: Sum | null = null;

  /** @param span number of its span of time since 1970 */
  constructor(readonly span: number) {}

  /** Counts a call. */
  add(point: Point, buckets: Buckets, whose: Whose): void {
    this.calls++;
    if (point.isError) this.errors++;
    this.promptTokens += point.promptTokens;
    this.outputTokens += point.outputTokens;
    this.cachedTokens += point.cachedTokens;
    this.reload = this.summed(this.reload, point.reloadMs);
    if (whose !== "template") {
      this.model = this.summed(this.model, point.modelBytes);
      this.spill = this.summed(this.spill, point.spilledShare);
    }
    if (whose === "all") {
      this.cpu = this.summed(this.cpu, point.cpuPercent);
      this.memory = this.summed(this.memory, point.memoryPercent);
      this.gpu = this.summed(this.gpu, point.gpuPercent);
      this.gpuMemory = this.summed(this.gpuMemory, point.gpuMemoryPercent);
    }
    const { distributions } = this;
    if (buckets.response >= 0) this.bytes += distributions.add(RESPONSE, buckets.response);
    if (buckets.firstToken >= 0) this.bytes += distributions.add(FIRST_TOKEN, buckets.firstToken);
    if (buckets.rate >= 0) this.bytes += distributions.add(RATE, buckets.rate);
  }

  addTo(sum: Tally): void {
    sum.calls += this.calls;
    sum.errors += this.errors;
    sum.promptTokens += this.promptTokens;
    sum.outputTokens += this.outputTokens;
    sum.cachedTokens += this.cachedTokens;
    sum.reload = sum.joined(sum.reload, this.reload);
    sum.cpu = sum.joined(sum.cpu, this.cpu);
    sum.memory = sum.joined(sum.memory, this.memory);
    sum.gpu = sum.joined(sum.gpu, this.gpu);
    sum.gpuMemory = sum.joined(sum.gpuMemory, this.gpuMemory);
    sum.model = sum.joined(sum.model, this.model);
    sum.spill = sum.joined(sum.spill, this.spill);
    sum.bytes += this.distributions.addTo(sum.distributions);
  }

  figures(): MonitorFigures {
    return {
      calls: this.calls,
      errors: this.errors,
      responseMs: spread(this.distributions.histogram(RESPONSE)),
      timeToFirstTokenMs: spread(this.distributions.histogram(FIRST_TOKEN)),
      tokensPerSecond: spread(this.distributions.histogram(RATE), RATE_SCALE),
      promptTokens: this.promptTokens,
      outputTokens: this.outputTokens,
      cachedTokens: this.cachedTokens,
      reloads: this.reload?.count ?? 0,
      reloadMs: this.reload?.sum ?? 0,
      cpuPercent: this.cpu?.level() ?? null,
      memoryPercent: this.memory?.level() ?? null,
      gpuPercent: this.gpu?.level() ?? null,
      gpuMemoryPercent: this.gpuMemory?.level() ?? null,
      modelBytes: this.model?.level() ?? null,
      spilledShare: this.spill?.level() ?? null,
    };
  }

  private summed(sum: Sum | null, value: number | null): Sum | null {
    if (value === null) return sum;
    const own = sum ?? new Sum();
    if (sum === null) this.bytes += SUM_BYTES;
    own.add(value);
    return own;
  }

  private joined(sum: Sum | null, part: Sum | null): Sum | null {
    if (part === null) return sum;
    const own = sum ?? new Sum();
    if (sum === null) this.bytes += SUM_BYTES;
    part.addTo(own);
    return own;
  }
}

function spread(histogram: Histogram, scale: number = 1): Spread | null {
  const average = mean(histogram);
  if (average === null) return null;
  const at = (share: number): number => quantile(histogram, share)! / scale;
  return { mean: average / scale, p50: at(0.5), p90: at(0.9), p99: at(0.99) };
}

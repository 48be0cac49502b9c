/**
 * Watches the level of one series on log scale: single values far above it (robust z by median and MAD) and changes
 * that stay (CUSUM). Durations are lognormal to a good approximation, so their logarithms have the symmetric spread
 * that both rules are made for.
 */
import { Cusum, cusumLimit } from "./cusum.js";
import { RobustWindow } from "./robustWindow.js";

/** One-sided limit of the robust z: 0.4 % of normal values lie above it. */
const SPIKE_Z = 2.65;
/** A median and MAD of few values err themselves; simulated, (1 + 2/n) keeps false alarms below 1 % from n = 30 on. */
const SMALL_SAMPLE = 2;
/** Below this spread (5 %) two durations are the same to any user. */
const LEAST_SIGMA = 0.05;
/** A call is called slow from here on, however even its group is. */
const LEAST_RATIO = Math.log(1.5);
/** The sustained change to be found. */
const CHANGE = Math.log(1.4);
const REFERENCE = { least: 0.25, most: 1.5 };
/**
 * Calls between two false alarms of one side, from which the CUSUM's limit follows. Two sides and two series of a
 * group make 0.1 per 1,000; a baseline that is estimated costs another factor, within 0.2.
 */
const RUN_LENGTH = 40_000;
/** The baseline's own error is added to the reference, in standard errors of a median, or each would be a change. */
const BASELINE_ERRORS = 0.75;
const MEDIAN_VARIANCE = Math.PI / 2;
/** Values wait so long before they join the baseline: a change that is to be found within 30 must not hide itself. */
const LAG = 30;
/** So many far values in a row are a new level; at 10 % of spikes chance makes that once in 100,000 calls. */
const SPIKES_IN_A_ROW = 5;

/** What a fifth of some 64 calls do is a way that calls go (a short answer, or a long one), and no exception. */
const MODE = { from: 0.22, until: 0.14, weight: 1 / 64 };
/** Values above this share of such a group's are compared with its slow way. */
const SLOW_WAY = 0.85;
/** From 15 % to 85 % are so many standard deviations of a normal; wider by this factor, it is none. */
const WHOLE_WIDTH = 2.07;
const WIDER = 1.5;

/** A value far above the level, `back` values ago. */
export interface Spike {
  readonly back: number;
  readonly z: number;
  /** The usual value, not its logarithm. */
  readonly expected: number;
}

/** A new level, `run` values long by now. */
export interface LevelChange {
  readonly run: number;
  readonly side: 1 | -1;
  readonly score: number;
}

export interface Verdict {
  readonly spikes: readonly Spike[];
  readonly change: LevelChange | null;
}

/** What looks at a series value by value. */
export interface Watch {
  /** Values before it judges, less those it has. 0: it judges. */
  readonly missing: number;
  /** @returns null when nothing is out of the ordinary */
  push(value: number): Verdict | null;
  /** Begins anew. */
  clear(): void;
}

export class LevelWatch implements Watch {
  private readonly baseline: RobustWindow;
  private readonly cusum = new Cusum();
  /** The first values, until there are enough of them. */
  private first: number[] | null = [];
  private readonly waiting = new Float64Array(LAG);
  private waited = 0;
  private inARow = 0;
  /** Share of values that lie far above the median, of late. */
  private farShare = 0;
  private hasModes = false;
  private reference = 0;
  private limit = 0;
  private limitFor = 0;

  constructor(
    window: number,
    private readonly minimum: number,
  ) {
    this.baseline = new RobustWindow(window);
  }

  get missing(): number {
    return this.first === null ? 0 : this.minimum - this.first.length;
  }

  clear(): void {
    this.baseline.clear();
    this.cusum.clear();
    this.first = [];
    this.waited = 0;
    this.inARow = 0;
    this.farShare = 0;
    this.hasModes = false;
    this.limitFor = 0;
  }

  /** @param value > 0 */
  push(value: number): Verdict | null {
    const log = Math.log(value);
    if (this.first !== null) return this.begin(log);
    const { median, count } = this.baseline;
    const sigma = Math.max(LEAST_SIGMA, this.baseline.sigma);
    const z = (log - median) / sigma;
    const isFar = this.isFar(z, log - median);
    const isSpike = isFar && !this.isOfMode(log);
    this.noteShare(isFar);
    this.inARow = isSpike ? this.inARow + 1 : 0;
    if (!isSpike || this.hasModes) {
      const place = this.waited % LAG;
      // A full window takes every second value: it reaches twice as far back, at half the cost.
      const joins = this.waited >= LAG && (this.baseline.count < this.baseline.capacity || place % 2 === 0);
      if (joins) this.baseline.push(this.waiting[place]!);
      this.waiting[place] = log;
      this.waited++;
    }
    // What neither the old level nor the one looked for explains says nothing about either.
    const spread = this.wholeSpread(sigma);
    const isForeign = log - median > CHANGE + 3 * spread;
    if (isForeign) this.cusum.skip();
    const change = isForeign ? null : this.changeAt((log - this.baseline.mean) / spread, spread, count);
    if (!isSpike && !change) return null;
    const spikes = isSpike ? [{ back: 0, z, expected: Math.exp(median) }] : [];
    const isLevel = this.inARow >= SPIKES_IN_A_ROW;
    return { spikes, change: isLevel ? { run: this.inARow, side: 1, score: z } : change };
  }

  /** The MAD sees one of two ways that calls go; their level is that of both. */
  private wholeSpread(sigma: number): number {
    const whole = (this.baseline.quantile(SLOW_WAY) - this.baseline.quantile(1 - SLOW_WAY)) / WHOLE_WIDTH;
    return whole > WIDER * sigma ? whole : sigma;
  }

  private changeAt(z: number, sigma: number, count: number): LevelChange | null {
    if (Math.abs(sigma - this.limitFor) > 0.03 * sigma) {
      this.reference = Math.min(REFERENCE.most, Math.max(REFERENCE.least, CHANGE / sigma / 2));
      this.limit = cusumLimit(this.reference, RUN_LENGTH);
      this.limitFor = sigma;
    }
    const error = BASELINE_ERRORS * Math.sqrt(MEDIAN_VARIANCE / count);
    const side = this.cusum.push(z, this.reference + error, this.limit);
    return side === 0 ? null : { run: this.cusum.run(side), side, score: this.cusum.score(side) };
  }

  private noteShare(isFar: boolean): void {
    this.farShare += MODE.weight * (Number(isFar) - this.farShare);
    this.hasModes = this.farShare > (this.hasModes ? MODE.until : MODE.from);
  }

  private isOfMode(log: number): boolean {
    return (
      this.hasModes && log < Math.max(this.baseline.median, this.baseline.quantile(SLOW_WAY)) + LEAST_RATIO
    );
  }

  private isFar(z: number, distance: number): boolean {
    return distance >= LEAST_RATIO && z > SPIKE_Z * (1 + SMALL_SAMPLE / this.baseline.count);
  }

  /** The first values are judged together, and the far ones among them left out of the baseline. */
  private begin(log: number): Verdict | null {
    const first = this.first!;
    first.push(log);
    if (first.length < this.minimum) return null;
    this.first = null;
    for (const value of first) this.baseline.push(value);
    const { median, sigma } = this.baseline;
    const spread = Math.max(LEAST_SIGMA, sigma);
    const spikes = first.flatMap((value, index) => {
      const z = (value - median) / spread;
      const isSpike = this.isFar(z, value - median);
      return isSpike ? [{ back: first.length - 1 - index, z, expected: Math.exp(median) }] : [];
    });
    if (spikes.length === 0) return null;
    this.farShare = spikes.length / first.length;
    this.hasModes = this.farShare > MODE.from;
    if (this.hasModes) return null;
    const far = new Set(spikes.map(({ back }) => first.length - 1 - back));
    this.baseline.clear();
    for (const [index, value] of first.entries()) if (!far.has(index)) this.baseline.push(value);
    return { spikes, change: null };
  }
}

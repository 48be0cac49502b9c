/**
 * How calls went in the last minutes, hours and days: all of them, by model, and by model and template. Fed with
 * requests as they are recorded; a request costs it about a microsecond, and its memory is bounded.
 */
import { TimeParser } from "../analysis/timeParser.js";
import { OptimizerError } from "../errors.js";
import type { RequestRecord } from "../records.js";
import type { OptimizerStore } from "../storage/store.js";
import { followRequests } from "./followRequests.js";
import { pointOf } from "./point.js";
import { type Last, Rings, type Span } from "./rings.js";
import { type MonitorScope, Series } from "./series.js";
import { bucketsOf, type MonitorFigures } from "./tally.js";

/** How much a monitor remembers. */
export interface MonitorOptions {
  /** Milliseconds since 1970. Default `Date.now`. */
  readonly now?: () => number;
  /** Memory for figures; what was not called for longest is forgotten beyond it. Default 12 MiB. */
  readonly maxBytes?: number;
  /** Requests kept whole, without text, the newest; anomalies are searched in them. Default 1,000. */
  readonly recent?: number;
}

const DEFAULT_BYTES = 12 * 2 ** 20;
const DEFAULT_RECENT = 1_000;
const NONE = new Rings("all");

/**
 * @example
 * const monitor = new Monitor();
 * await monitor.follow(model.store);
 * monitor.figures({ minutes: 15 }).responseMs?.p90;
 * monitor.figures({ hours: 24 }, { model: "qwen3:8b" }).tokensPerSecond?.p50;
 */
export class Monitor {
  private readonly now: () => number;
  private readonly series: Series;
  private readonly newest: (RequestRecord | undefined)[];
  private readonly listeners = new Set<(request: RequestRecord) => void>();
  private readonly times = new TimeParser();
  private taken = 0;
  private left = 0;

  /** @throws OptimizerError `OPTION_INVALID` */
  constructor(options: MonitorOptions = {}) {
    const { now = Date.now, maxBytes = DEFAULT_BYTES, recent = DEFAULT_RECENT } = options;
    checkWhole("maxBytes", maxBytes);
    checkWhole("recent", recent);
    this.now = now;
    this.series = new Series(maxBytes);
    this.newest = new Array<RequestRecord | undefined>(recent);
  }

  /**
   * Takes in one request. One whose time or duration cannot be true (negative, not a number, the future's) is
   * refused and counted.
   *
   * @returns false when it was refused
   */
  record(request: RequestRecord): boolean {
    const now = this.now();
    const point = pointOf(request, this.times.parse(request.at), now);
    if (point === null) {
      this.left++;
      return false;
    }
    this.series.add(point, bucketsOf(point), now);
    if (this.newest.length > 0) this.newest[this.taken++ % this.newest.length] = withoutText(request);
    for (const listener of this.listeners) {
      try {
        listener(request);
      } catch {
        // The request was taken in, and its call goes on.
      }
    }
    return true;
  }

  /**
   * Takes in what is appended to a store from now on, by this process at once, by others of a shared store within
   * seconds, a long call within a minute; and before that, what it already holds of the last days.
   *
   * @param options.days how much of what is stored is read first; default 0
   * @returns ends it; resolves when what is stored was read
   */
  async follow(store: OptimizerStore, options: { readonly days?: number } = {}): Promise<() => void> {
    const { days = 0 } = options;
    const now = this.now();
    const { caughtUp, stop } = followRequests(store, (request) => this.record(request), {
      startedAt: new Date(now).toISOString(),
      now: this.now,
      ...(days > 0 && { since: new Date(now - days * 86_400_000).toISOString() }),
    });
    await caughtUp;
    return stop;
  }

  /** Figures of the last minutes, hours or days. @throws OptimizerError `OPTION_INVALID` */
  figures(last: Last, scope: MonitorScope = {}): MonitorFigures {
    checkLast(last);
    checkScope(scope);
    return (this.series.get(scope) ?? NONE).sum(last, this.now());
  }

  /** The same by minute, hour or day, oldest first; those without calls are left out. */
  spans(last: Last, scope: MonitorScope = {}): readonly Span[] {
    checkLast(last);
    checkScope(scope);
    return (this.series.get(scope) ?? NONE).spans(last, this.now());
  }

  /** Models and templates that there are figures of. */
  scopes(): readonly MonitorScope[] {
    return this.series.scopes();
  }

  /** The newest requests, oldest first. */
  recent(): readonly RequestRecord[] {
    const { length } = this.newest;
    const from = Math.max(0, this.taken - length);
    return Array.from({ length: this.taken - from }, (_, index) => this.newest[(from + index) % length]!);
  }

  /** Calls a listener with each request that was taken in. What it throws is dropped. Returns the function that ends it. */
  subscribe(listener: (request: RequestRecord) => void): () => void {
    const added = (request: RequestRecord): void => listener(request);
    this.listeners.add(added);
    return () => void this.listeners.delete(added);
  }

  /** The monitor itself: memory in bytes, requests refused, models and templates forgotten. */
  get state(): { readonly bytes: number; readonly refused: number; readonly forgotten: number } {
    const { bytes, forgotten } = this.series;
    return { bytes, refused: this.left, forgotten };
  }
}

function withoutText(request: RequestRecord): RequestRecord {
  if (!request.text) return request;
  const { text: _text, ...rest } = request;
  return rest;
}

function checkWhole(name: string, value: number): void {
  if (Number.isSafeInteger(value) && value >= 0) return;
  throw new OptimizerError({
    code: "OPTION_INVALID",
    message: `${name} is ${value}`,
    remedy: "Give a whole number, 0 or more.",
  });
}

function checkLast(last: Last): void {
  const given = Object.entries(last);
  const [name, count] = given[0] ?? [];
  if (given.length === 1 && /^(?:minutes|hours|days)$/.test(name!) && count! > 0) return;
  throw new OptimizerError({
    code: "OPTION_INVALID",
    message: `The time asked for is ${JSON.stringify(last)}`,
    remedy: "Give one of minutes (up to 60), hours (48) and days (31), above 0.",
  });
}

/** Templates are told by model: one alone would be taken for all calls. */
function checkScope({ model, templateId }: MonitorScope): void {
  if (model !== undefined || templateId === undefined) return;
  throw new OptimizerError({
    code: "OPTION_INVALID",
    message: `The template ${JSON.stringify(templateId)} has no model`,
    remedy: "Give the model too, as scopes() does.",
  });
}

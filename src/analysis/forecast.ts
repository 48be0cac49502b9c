/** How much will come, hour by hour, and what to do about it beforehand. */
import type { RequestRecord } from "../records.js";
import { Calendar, hourOf } from "./calendar.js";
import { type Call, queueMs } from "./call.js";
import { Door } from "./door.js";
import { entryOf } from "./entryOf.js";
import { loadModel } from "./hourlyLoad.js";
import { invalid, whole, within } from "./optionValues.js";
import { atOnce } from "./pace.js";
import type { Advice, Forecast, ForecastHour } from "./types.js";
import { duration, percent, plural } from "./words.js";

/** How far to look ahead, and how sure to be. */
export interface ForecastOptions {
  /** Milliseconds since the epoch: what began later is refused. */
  readonly now: number;
  /** IANA name. @default "UTC" */
  readonly timeZone?: string;
  /** Hours ahead. @default 24 */
  readonly hours?: number;
  /** Share of hours that the interval is to hold. @default 0.9 */
  readonly level?: number;
  /** Calls that the server works on at a time (`OLLAMA_NUM_PARALLEL`). @default 1 */
  readonly parallel?: number;
}

const HOUR_MS = 3_600_000;
/** Ollama unloads a model 5 minutes after its last call: an hour without one has done so. */
const QUIET = 0.5;
/** Where work fills more of the hour, calls wait for each other (M/M/1: five times the service time at 0.8). */
const BUSY = 0.8;

interface ModelLoad {
  readonly counts: Map<number, number>;
  calls: number;
  workMs: number;
  loads: number;
  loadMs: number;
}

function newLoad(): ModelLoad {
  return { counts: new Map(), calls: 0, workMs: 0, loads: 0, loadMs: 0 };
}

/** Counts calls by hour; the model is fitted at the end. */
export class Forecaster {
  private readonly calendar: Calendar;
  private readonly models = new Map<string, ModelLoad>();
  private firstAt = Number.POSITIVE_INFINITY;
  private readonly now: number;
  private readonly hours: number;
  private readonly level: number;
  private readonly parallel: number;

  constructor(options: ForecastOptions) {
    this.now = within("now", options.now, 0);
    this.calendar = new Calendar(options.timeZone ?? "UTC");
    this.hours = whole("hours", options.hours ?? 24, 1);
    this.level = within("level", options.level ?? 0.9, 0);
    if (this.level >= 1) throw invalid("level", this.level, "a share below 1");
    this.parallel = whole("parallel", options.parallel ?? 1, 1);
  }

  takeCall({ record, at, isLoad }: Call): void {
    const hour = Math.floor(at / HOUR_MS);
    this.firstAt = Math.min(this.firstAt, at);
    const model = this.models.get(record.model) ?? entryOf(this.models, record.model, newLoad);
    model.counts.set(hour, (model.counts.get(hour) ?? 0) + 1);
    model.calls++;
    model.workMs += Math.max(0, (record.totalMs ?? 0) - (queueMs(record) ?? 0));
    if (isLoad) {
      model.loads++;
      model.loadMs += record.loadMs ?? 0;
    }
  }

  /** Pauses between models, for those who must not block. */
  *result(refused: Forecast["refused"]): Generator<undefined, Forecast> {
    const { calendar, level, now } = this;
    const fitted = loadModel(this.allCounts(), this.firstAt, now, calendar);
    if (!fitted.enough) return { timeZone: calendar.timeZone, level, hours: fitted, advice: [], refused };
    const next = this.coming().map((at) => fitted.expect(at, level));
    const { week, historyHours, profile } = fitted;
    return {
      timeZone: calendar.timeZone,
      level,
      hours: { enough: true, next, week, historyHours, profile },
      advice: [...(yield* this.preloads()), ...this.scaling(next)],
      refused,
    };
  }

  private allCounts(): Map<number, number> {
    const counts = new Map<number, number>();
    for (const model of this.models.values()) {
      for (const [hour, count] of model.counts) counts.set(hour, (counts.get(hour) ?? 0) + count);
    }
    return counts;
  }

  private coming(): number[] {
    const first = hourOf(this.now) + HOUR_MS;
    return Array.from({ length: this.hours }, (_, index) => first + index * HOUR_MS);
  }

  /** A model that will be asked for, after an hour in which nobody is expected to: its first caller waits for the load. */
  private *preloads(): Generator<undefined, Advice[]> {
    const advice: Advice[] = [];
    for (const [model, { counts, loads, loadMs }] of this.models) {
      yield;
      const fitted = loadModel(counts, this.firstAt, this.now, this.calendar);
      if (!fitted.enough) continue;
      for (const at of this.coming()) {
        const before = fitted.expect(at - HOUR_MS, this.level);
        const hour = fitted.expect(at, this.level);
        if (before.expected >= QUIET || hour.low < 1) continue;
        const price = loads > 0 ? ` It saves the first of them the load of ${duration(loadMs / loads)}.` : "";
        advice.push({
          kind: "preload",
          at: hour.at,
          model,
          text: `Load ${model} shortly before ${this.clock(hour)} (${this.calendar.timeZone}): ${hour.low} to ${plural(hour.high, "call")} are expected then, after a quiet hour.${price}`,
        });
      }
    }
    return advice.sort((a, b) => a.at.localeCompare(b.at));
  }

  private scaling(next: readonly ForecastHour[]): Advice[] {
    let [calls, workMs] = [0, 0];
    for (const model of this.models.values()) {
      calls += model.calls;
      workMs += model.workMs;
    }
    const share = (count: number): number => (count * workMs) / Math.max(calls, 1) / HOUR_MS / this.parallel;
    const busiest = next.reduce((a, b) => (b.high > a.high ? b : a));
    if (share(busiest.high) < BUSY) return [];
    return [
      {
        kind: "scale",
        at: busiest.at,
        model: null,
        text: `From ${this.clock(busiest)} (${this.calendar.timeZone}) up to ${plural(busiest.high, "call")} in the hour would keep the server ${percent(share(busiest.high))} busy at ${duration(workMs / Math.max(calls, 1))} each: raise OLLAMA_NUM_PARALLEL where memory permits, add a server, or move work to a quieter hour.`,
      },
    ];
  }

  /** Hours begin on the half hour, or on a quarter, where a time zone does. */
  private clock({ at }: ForecastHour): string {
    const { hour, minute } = this.calendar.at(Date.parse(at));
    return [hour, minute].map((part) => String(part).padStart(2, "0")).join(":");
  }
}

/**
 * Expected requests of the next hours with a prediction interval, and advice on what to load or scale in time.
 *
 * @throws OptimizerError `OPTION_INVALID`
 */
export function forecastOf(requests: Iterable<RequestRecord>, options: ForecastOptions): Forecast {
  const forecaster = new Forecaster(options);
  const door = new Door();
  for (const call of door.admitted(requests, options.now)) forecaster.takeCall(call);
  return atOnce(forecaster.result(door.refused));
}

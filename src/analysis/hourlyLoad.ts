/** Requests by hour of the day and of the week: a profile, and what it expects of an hour to come. */
import { type Calendar, hourOf } from "./calendar.js";
import { countQuantile } from "./countDistribution.js";
import { notEnough } from "./notEnough.js";
import type { ForecastHour, NotEnough } from "./types.js";

const HOUR_MS = 3_600_000;
const DAY_HOURS = 24;
/** Two of each hour of the day. */
const MINIMUM_HOURS = 48;
/** Older hours say little about the next. */
const MOST_HOURS = 8 * 7 * DAY_HOURS;
/** Before three of each, hours of the week are not told apart. */
const WEEK_PROFILE_HOURS = 21 * DAY_HOURS;
/** An hour of the day counts as if it had been seen once more at the mean, one of the week twice more at its day's. */
const HOUR_PRIOR = 1;
const WEEK_PRIOR = 2;
/** The level is that of the last week, once there are two. */
const LEVEL_HOURS = 7 * DAY_HOURS;

/** Requests by the hour they came in: whole hours since the epoch. */
export type HourCounts = ReadonlyMap<number, number>;

export interface LoadModel {
  readonly enough: true;
  readonly historyHours: number;
  readonly profile: "day" | "week";
  /** Expected requests by weekday and hour. */
  readonly week: readonly (readonly number[])[];
  /** Expected requests of the hour that begins at `at`, and the interval of this level. */
  expect(at: number, level: number): ForecastHour;
}

/**
 * Fits the counts of full hours before `now`. Hours without a request count as zero. Empirical Bayes in small: means
 * of few observations lean on the more general mean; the interval is that of a gamma-Poisson count with the variance
 * that the history shows, at least Poisson's.
 *
 * @param firstAt start of the history, ms since the epoch
 */
export function loadModel(
  counts: HourCounts,
  firstAt: number,
  now: number,
  calendar: Calendar,
): LoadModel | NotEnough {
  const end = hourOf(now);
  const hours = Math.min(MOST_HOURS, Math.floor((end - hourOf(firstAt)) / HOUR_MS));
  if (hours < MINIMUM_HOURS) return notEnough(Math.max(0, hours), MINIMUM_HOURS);
  const observed = Array.from({ length: hours }, (_, index) => {
    const at = end - (hours - index) * HOUR_MS;
    const { weekday, hour } = calendar.at(at);
    return { weekday, hour, count: counts.get(at / HOUR_MS) ?? 0 };
  });
  const mean = observed.reduce((sum, { count }) => sum + count, 0) / hours;
  const byHour = cells(DAY_HOURS);
  const byWeekday = cells(7);
  const byCell = cells(7 * DAY_HOURS);
  for (const { weekday, hour, count } of observed) {
    add(byHour[hour]!, count);
    add(byWeekday[weekday]!, count);
    add(byCell[weekday * DAY_HOURS + hour]!, count);
  }
  const profile = hours >= WEEK_PROFILE_HOURS ? "week" : "day";
  const shrunk = (cell: Cell, prior: number, weight: number): number =>
    (cell.sum + weight * prior) / (cell.hours + weight);
  const hourRate = byHour.map((cell) => shrunk(cell, mean, HOUR_PRIOR));
  const rate = (weekday: number, hour: number): number => {
    if (profile === "day") return hourRate[hour]!;
    const dayFactor = mean > 0 ? byWeekday[weekday]!.sum / byWeekday[weekday]!.hours / mean : 1;
    return shrunk(byCell[weekday * DAY_HOURS + hour]!, dayFactor * hourRate[hour]!, WEEK_PRIOR);
  };
  const level = hours >= 2 * LEVEL_HOURS ? levelOf(observed.slice(-LEVEL_HOURS), rate) : 1;
  const spread = dispersion(observed, rate, profile === "day" ? DAY_HOURS : 7 + DAY_HOURS);
  const seen = (weekday: number, hour: number): number =>
    profile === "day"
      ? byHour[hour]!.hours + HOUR_PRIOR
      : byCell[weekday * DAY_HOURS + hour]!.hours + WEEK_PRIOR;
  return {
    enough: true,
    historyHours: hours,
    profile,
    week: Array.from({ length: 7 }, (_, weekday) =>
      Array.from({ length: DAY_HOURS }, (_, hour) => level * rate(weekday, hour)),
    ),
    expect(at, share) {
      const { weekday, hour } = calendar.at(at);
      const expected = level * rate(weekday, hour);
      // The hour's own chance, and that the mean is known from few hours.
      const variance = spread * expected * (1 + 1 / seen(weekday, hour));
      return {
        at: new Date(at).toISOString(),
        weekday,
        hour,
        expected,
        low: countQuantile(expected, variance, (1 - share) / 2),
        high: countQuantile(expected, variance, (1 + share) / 2),
      };
    },
  };
}

interface Cell {
  sum: number;
  hours: number;
}

function cells(count: number): Cell[] {
  return Array.from({ length: count }, () => ({ sum: 0, hours: 0 }));
}

function add(cell: Cell, count: number): void {
  cell.sum += count;
  cell.hours++;
}

interface ObservedHour {
  readonly weekday: number;
  readonly hour: number;
  readonly count: number;
}
type Rate = (weekday: number, hour: number) => number;

function levelOf(recent: readonly ObservedHour[], rate: Rate): number {
  const seen = recent.reduce((sum, { count }) => sum + count, 0);
  const expected = recent.reduce((sum, { weekday, hour }) => sum + rate(weekday, hour), 0);
  return expected > 0 ? (seen + 1) / (expected + 1) : 1;
}

/** Pearson's estimate of variance over mean, at least Poisson's 1. */
function dispersion(observed: readonly ObservedHour[], rate: Rate, parameters: number): number {
  let sum = 0;
  for (const { weekday, hour, count } of observed) {
    const expected = rate(weekday, hour);
    if (expected > 0) sum += (count - expected) ** 2 / expected;
  }
  return Math.max(1, sum / Math.max(1, observed.length - parameters));
}

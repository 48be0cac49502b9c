import { describe, expect, test } from "vitest";
import { forecastOf } from "../../src/analysis/forecast.js";
import { seededRandom } from "../../src/calibration/prose.js";
import type { RequestRecord } from "../../src/records.js";
import { request } from "./traffic.js";

const HOUR = 3_600_000;
/** A Monday, 00:00 UTC. */
const MONDAY = Date.UTC(2026, 0, 5);

function poisson(mean: number, random: () => number): number {
  let [count, product] = [0, random()];
  for (const limit = Math.exp(-mean); product > limit; count++) product *= random();
  return count;
}

/** Calls by hour, drawn with a mean for each. */
function log(
  hours: number,
  mean: (hour: number) => number,
  seed: number,
  fields: Partial<RequestRecord> = {},
) {
  const random = seededRandom(seed);
  return Array.from({ length: hours }, (_, hour) =>
    Array.from({ length: poisson(mean(hour), random) }, (_, index) =>
      request({ atMs: MONDAY + hour * HOUR + index * 1000, ...fields }),
    ),
  ).flat();
}

/** Busy from 9 to 17 on weekdays, almost nothing else. */
const office = (hour: number) => {
  const [day, clock] = [Math.floor(hour / 24) % 7, hour % 24];
  return day < 5 && clock >= 9 && clock < 17 ? 20 : 0.05;
};

describe("a forecast", () => {
  test.each([
    ["after four weeks by hour of the week", 28 * 24, office],
    ["after ten days by hour of the day", 10 * 24, (hour: number) => (hour % 24 >= 8 ? 12 : 1)],
  ])("%s holds as many hours in its interval as it says", (_, hours, mean) => {
    let [inside, all] = [0, 0];
    for (let seed = 1; seed <= 12; seed++) {
      const calls = log(hours + 48, mean, seed);
      const now = MONDAY + hours * HOUR;
      const forecast = forecastOf(
        calls.filter(({ at }) => Date.parse(at) < now),
        { now, hours: 47 },
      );
      if (!forecast.hours.enough) throw new Error("not enough");
      for (const hour of forecast.hours.next) {
        const from = Date.parse(hour.at);
        const came = calls.filter(({ at }) => Date.parse(at) >= from && Date.parse(at) < from + HOUR).length;
        all++;
        if (came >= hour.low && came <= hour.high) inside++;
      }
    }
    // Counts are whole numbers: where few come, an interval holds more than its level.
    expect(inside / all).toBeGreaterThan(0.87);
    expect(inside / all).toBeLessThanOrEqual(0.995);
  });

  test("knows weekends from three weeks on, and names hours in the time zone asked for", () => {
    const now = MONDAY + 28 * 24 * HOUR - HOUR / 2;
    const { hours } = forecastOf(log(28 * 24 - 1, office, 1), { now, timeZone: "Asia/Tokyo", hours: 3 });
    expect(hours).toMatchObject({ enough: true, profile: "week" });
    if (!hours.enough) return;
    expect(hours.next[0]).toMatchObject({ at: "2026-02-02T00:00:00.000Z", weekday: 0, hour: 9 });
    // Monday 18:00 in Tokyo is 9:00 UTC; Saturday at the same hour is quiet.
    expect(hours.week[0]![18]).toBeGreaterThan(12);
    expect(hours.week[5]![18]).toBeLessThan(3);
  });

  test("follows a load that doubled a week ago", () => {
    const doubled = (hour: number) => (hour < 21 * 24 ? 10 : 20);
    const { hours } = forecastOf(log(28 * 24, doubled, 3), { now: MONDAY + 28 * 24 * HOUR, hours: 24 });
    if (!hours.enough) throw new Error("not enough");
    const mean = hours.next.reduce((sum, { expected }) => sum + expected, 0) / 24;
    expect(mean).toBeGreaterThan(17);
    expect(mean).toBeLessThan(23);
  });

  test("advises to load a model before the first call of the morning, and tells the price of not doing so", () => {
    const calls = log(28 * 24, office, 2).map((call, index) =>
      index % 160 === 0 ? { ...call, loadMs: 4000 } : call,
    );
    const { advice } = forecastOf(calls, { now: MONDAY + 28 * 24 * HOUR, hours: 24 });
    expect(advice).toHaveLength(1);
    expect(advice[0]).toMatchObject({
      kind: "preload",
      model: "llama3.2:3b",
      at: "2026-02-02T09:00:00.000Z",
    });
    expect(advice[0]!.text).toContain("before 09:00 (UTC)");
    expect(advice[0]!.text).toContain("4 s");

    const options = { now: MONDAY + 28 * 24 * HOUR, hours: 24, timeZone: "Asia/Kolkata" };
    expect(forecastOf(calls, options).advice[0]!.text).toContain("before 14:30 (Asia/Kolkata)");
  });

  test("advises more capacity when the upper end would keep the server busy all the time", () => {
    const slow = { totalMs: 150_000, promptMs: 10_000, outputMs: 140_000, loadMs: 0 };
    const calls = log(10 * 24, () => 20, 4, slow);
    const options = { now: MONDAY + 10 * 24 * HOUR };
    expect(forecastOf(calls, options).advice).toMatchObject([{ kind: "scale", model: null }]);
    expect(forecastOf(calls, { ...options, parallel: 4 }).advice).toEqual([]);
  });
});

test("under two days there is none", () => {
  const { hours, advice } = forecastOf(
    log(30, () => 5, 1),
    { now: MONDAY + 30 * HOUR },
  );
  expect(hours).toEqual({ enough: false, have: 30, need: 48, text: "not enough data (30 of 48)" });
  expect(advice).toEqual([]);
  expect(forecastOf([], { now: MONDAY }).hours).toMatchObject({ enough: false, have: 0 });
});

test("bad options are refused", () => {
  const refused = (options: object) =>
    expect(() => forecastOf([], { now: MONDAY, ...options })).toThrow(
      expect.objectContaining({ code: "OPTION_INVALID" }),
    );
  refused({ level: 1 });
  refused({ hours: 0 });
  refused({ timeZone: "nowhere" });
  refused({ now: Number.NaN });
});

import { expect, test } from "vitest";
import {
  bytes,
  clock,
  count,
  day,
  dayOrHour,
  duration,
  inWords,
  money,
  percent,
  plural,
  tokens,
} from "../../../src/server/dashboard/page/format.js";

test("durations have three digits and a unit that fits", () => {
  expect([0, 0.4213, 12.34, 312.4, 999.4].map(duration)).toEqual([
    "0 ms",
    "0.421 ms",
    "12.3 ms",
    "312 ms",
    "999 ms",
  ]);
  expect([999.6, 1_240, 59_900].map(duration)).toEqual(["1 s", "1.24 s", "59.9 s"]);
  expect([59_999, 125_000, 3_600_000, 5_430_000].map(duration)).toEqual([
    "1 min 0 s",
    "2 min 5 s",
    "1 h 0 min",
    "1 h 30 min",
  ]);
});

test("counts, sizes and shares have their separators and units", () => {
  expect([0, 12_288, 3.6].map(count)).toEqual(["0", "12,288", "4"]);
  expect([1, 2_048].map(tokens)).toEqual(["1 token", "2,048 tokens"]);
  expect([512, 1_536, 5 * 2 ** 30].map(bytes)).toEqual(["512 B", "1.5 KiB", "5 GiB"]);
  expect([0.5, 0.0123].map(percent)).toEqual(["50 %", "1.23 %"]);
});

test("what is not known is a dash", () => {
  for (const format of [count, tokens, duration, bytes, percent]) {
    for (const value of [null, undefined, Number.NaN, Number.POSITIVE_INFINITY])
      expect(format(value)).toBe("–");
  }
  expect(clock("no time")).toBe("–");
  expect(clock(null)).toBe("–");
});

test("a time of another day has its date", () => {
  const noon = new Date(2026, 4, 3, 12, 0, 7).getTime();

  expect(clock(noon, noon + 1_000)).toBe("12:00:07");
  expect(clock(noon, noon + 86_400_000)).toBe("3\u00a0May,\u00a012:00:07");
});

test("below a chart there are days where marks are days apart, else hours with the day at midnight", () => {
  const midnight = new Date(2026, 4, 3).getTime();
  const hour = 3_600_000;

  expect(dayOrHour(midnight + 6 * hour, 24 * hour)).toBe("3 May");
  expect(dayOrHour(midnight + 6 * hour, 6 * hour)).toBe("06:00");
  expect(dayOrHour(midnight, 6 * hour)).toBe("3 May");
  expect(day("no day")).toBe("–");
});

test("money has as many digits as tell something", () => {
  expect([0, 1_234.5, 0.0288, 0.00002, -2].map((amount) => money(amount, "EUR"))).toEqual([
    "0.00 EUR",
    "1,234.50 EUR",
    "0.0288 EUR",
    "< 0.0001 EUR",
    "-2.00 EUR",
  ]);
  expect(money(null, "EUR")).toBe("–");
});

test("names out of a program become words, and nouns follow their number", () => {
  expect(["slowDisk", "max_size", "queue"].map(inWords)).toEqual(["slow disk", "max size", "queue"]);
  expect([plural(1, "step"), plural(1_200, "call"), plural(2, "anomaly", "anomalies")]).toEqual([
    "1 step",
    "1,200 calls",
    "2 anomalies",
  ]);
});

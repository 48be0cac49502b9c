import { expect, test } from "vitest";
import { bytes, clock, count, duration, percent, tokens } from "../../../src/server/dashboard/page/format.js";

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
  expect(clock(noon, noon + 86_400_000)).toBe("3 May, 12:00:07");
});

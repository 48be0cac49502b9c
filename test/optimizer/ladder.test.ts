import fc from "fast-check";
import { expect, test } from "vitest";
import { coveringRung, rungAtMost, rungBelow } from "../../src/optimizer/ladder.js";

test("the rungs are steps of 2^(k/4) rounded to 256", () => {
  const rungs = [4096];
  while (rungs.at(-1)! < 65_536) rungs.push(coveringRung(rungs.at(-1)! + 1));
  // 4096 x 2^(k/4) = 4871, 5793, 6889, 8192, 9742 ... worked out by hand.
  expect(rungs.slice(0, 9)).toEqual([4096, 4864, 5888, 6912, 8192, 9728, 11_520, 13_824, 16_384]);
  expect(rungs.slice(9)).toEqual([19_456, 23_296, 27_648, 32_768, 38_912, 46_336, 55_040, 65_536]);
});

test("a rung holds the need and wastes at most a quarter of an octave and one step of 256", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2_000_000 }), (need) => {
      const window = coveringRung(need);
      expect(window).toBeGreaterThanOrEqual(need);
      expect(window % 256).toBe(0);
      expect(window).toBeLessThanOrEqual(need * 2 ** 0.25 + 256);
    }),
  );
});

test("the trained window is the last rung, whatever its size", () => {
  expect(coveringRung(39_500, 40_000)).toBe(40_000);
  expect(coveringRung(90_000, 40_000)).toBe(40_000);
  expect(coveringRung(300, 40_000)).toBe(512);
});

test("the rung below is smaller, and nothing lies between", () => {
  fc.assert(
    fc.property(fc.integer({ min: 257, max: 2_000_000 }), (window) => {
      const below = rungBelow(window);
      expect(below).toBeLessThan(window);
      expect(coveringRung(below + 1)).toBeGreaterThanOrEqual(window);
    }),
  );
});

test("below the smallest rung there is none", () => {
  expect(rungBelow(256)).toBe(0);
  expect(rungAtMost(256)).toBe(256);
  expect(rungAtMost(-5)).toBe(0);
});

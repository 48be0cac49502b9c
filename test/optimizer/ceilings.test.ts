import { expect, test } from "vitest";
import { ceilingWindow, withCeiling, withoutDisproved } from "../../src/optimizer/ceilings.js";
import { NOW } from "./situation.js";

const HOUR = 3_600_000;
const met = (numCtx: number, agoMs: number, loadedBytes = 5e9) => ({
  numCtx,
  at: new Date(NOW - agoMs).toISOString(),
  loadedBytes,
});

test("the rung below the smallest ceiling is the largest window", () => {
  expect(ceilingWindow([met(65_536, HOUR), met(32_768, HOUR)], 5e9, NOW)).toBe(27_648);
  expect(ceilingWindow([], 0, NOW)).toBe(Number.POSITIVE_INFINITY);
});

test("it is tried again when less is loaded, but not within a day", () => {
  expect(ceilingWindow([met(32_768, 23 * HOUR)], 0, NOW)).toBe(27_648);
  expect(ceilingWindow([met(32_768, 25 * HOUR)], 0, NOW)).toBe(Number.POSITIVE_INFINITY);
  expect(ceilingWindow([met(32_768, 25 * HOUR)], 5e9, NOW)).toBe(27_648);
});

test("after a week it is tried again whatever is loaded", () => {
  expect(ceilingWindow([met(32_768, 6 * 24 * HOUR)], 5e9, NOW)).toBe(27_648);
  expect(ceilingWindow([met(32_768, 7 * 24 * HOUR)], 5e9, NOW)).toBe(Number.POSITIVE_INFINITY);
});

test("a clock that jumped back and a time that cannot be read leave it in force", () => {
  expect(ceilingWindow([met(32_768, -100 * HOUR)], 0, NOW)).toBe(27_648);
  expect(ceilingWindow([{ numCtx: 32_768, at: "yesterday", loadedBytes: 0 }], 0, NOW)).toBe(27_648);
});

test("one entry a window is kept, the smallest four, in order", () => {
  const again = withCeiling([met(8192, HOUR), met(32_768, HOUR)], met(32_768, 0));
  expect(again).toEqual([met(8192, HOUR), met(32_768, 0)]);
  const five = [5, 4, 3, 2, 1].reduce<ReturnType<typeof met>[]>(
    (all, k) => [...withCeiling(all, met(k * 4096, 0))],
    [],
  );
  expect(five.map((ceiling) => ceiling.numCtx)).toEqual([4096, 8192, 12_288, 16_384]);
});

test("a window that loaded disproves the ceilings at and below it", () => {
  const ceilings = [met(8192, HOUR), met(32_768, HOUR)];
  expect(withoutDisproved(ceilings, 8192)).toEqual([met(32_768, HOUR)]);
  expect(withoutDisproved(ceilings, 4096)).toBe(ceilings);
});

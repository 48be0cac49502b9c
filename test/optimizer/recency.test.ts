import { expect, test } from "vitest";
import { weightedP99 } from "../../src/optimizer/recency.js";

const calls = (count: number, need = 900) => new Array<number>(count).fill(need);

test("a one-off of long ago does not count, a recent one does", () => {
  expect(weightedP99([20_000, ...calls(40)])).toBe(900);
  expect(weightedP99([...calls(40), 20_000])).toBe(20_000);
  expect(weightedP99([...calls(20), 20_000, ...calls(20)])).toBe(20_000);
});

test("one-offs that come again and again count however old the last one is", () => {
  const mixed = Array.from({ length: 64 }, (_, index) => (index % 10 === 0 ? 9000 : 900));
  expect(weightedP99(mixed)).toBe(9000);
});

test("nothing known is 0, one need is that need", () => {
  expect(weightedP99([])).toBe(0);
  expect(weightedP99([1234])).toBe(1234);
});

test("of many different needs it is near the top, not at it by accident of order", () => {
  const ascending = Array.from({ length: 64 }, (_, index) => index + 1);
  expect(weightedP99(ascending)).toBe(64);
  // The oldest is the largest: its weight is 0.3 % of the whole, that of the 8 oldest together 3 %.
  const descending = [...ascending].reverse();
  expect(weightedP99(descending)).toBeLessThan(64);
  expect(weightedP99(descending)).toBeGreaterThan(56);
});

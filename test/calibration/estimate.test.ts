import fc from "fast-check";
import { expect, test } from "vitest";
import { estimate, relativeWidth } from "../../src/calibration/estimate.js";

test("the interval is the one of Student's t on the logarithms", () => {
  // The geometric mean of these; 3.182 is the 97.5 % quantile of t with 3 degrees of freedom in every table.
  const { value, low, high, samples } = estimate([100, 110, 95, 105])!;
  expect(value).toBeCloseTo((100 * 110 * 95 * 105) ** 0.25, 9);
  expect(samples).toBe(4);
  expect(high / value).toBeCloseTo(value / low, 10);
  const logs = [100, 110, 95, 105].map(Math.log);
  const mean = logs.reduce((a, b) => a + b) / 4;
  const deviation = Math.sqrt(logs.reduce((sum, log) => sum + (log - mean) ** 2, 0) / 3);
  expect(Math.log(high / value)).toBeCloseTo((3.182 * deviation) / 2, 6);
});

test("no value is no estimate, and one says nothing about its own precision", () => {
  expect(estimate([])).toBeNull();
  expect(estimate([7])).toEqual({ value: 7, low: 0, high: Number.POSITIVE_INFINITY, samples: 1 });
});

test("an interval holds its value, and scales with the unit", () => {
  const rates = fc.array(fc.double({ min: 1e-3, max: 1e6, noNaN: true }), { minLength: 2, maxLength: 40 });
  fc.assert(
    fc.property(rates, fc.double({ min: 0.01, max: 100, noNaN: true }), (values, unit) => {
      const { value, low, high } = estimate(values)!;
      expect(low).toBeLessThanOrEqual(value * (1 + 1e-9));
      expect(high).toBeGreaterThanOrEqual(value * (1 - 1e-9));
      const scaled = estimate(values.map((number) => number * unit))!;
      expect(scaled.value / (value * unit)).toBeCloseTo(1, 6);
      const width = relativeWidth({ value, low, high, samples: 2 });
      if (width > 1e-6) expect(relativeWidth(scaled) / width).toBeCloseTo(1, 3);
    }),
  );
});

test("95 of 100 intervals hold the true value", () => {
  let state = 1;
  const uniform = (): number => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
  const normal = (): number => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
  let held = 0;
  for (let run = 0; run < 2000; run++) {
    const { low, high } = estimate(Array.from({ length: 4 }, () => Math.exp(5 + 0.1 * normal())))!;
    if (low <= Math.exp(5) && Math.exp(5) <= high) held++;
  }
  expect(held / 2000).toBeGreaterThan(0.93);
  expect(held / 2000).toBeLessThan(0.97);
});

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { add, bucketOf, histogramOf, mean, merge, quantile, total } from "../../src/optimizer/histogram.js";
import type { Histogram } from "../../src/records.js";

const values = fc.array(fc.double({ min: 1, max: 1e7, noNaN: true }), { minLength: 1, maxLength: 60 });
const histogram = (numbers: readonly number[]): Histogram =>
  numbers.reduce<Histogram>((sum, value) => add(sum, value), {});

describe("histogram", () => {
  it("puts a value into the bucket whose bounds hold it", () => {
    fc.assert(
      fc.property(fc.double({ min: 1.001, max: 1e9, noNaN: true }), (value) => {
        const bucket = bucketOf(value);
        expect(value).toBeGreaterThan(1.05 ** (bucket - 1) * (1 - 1e-6));
        expect(value).toBeLessThanOrEqual(1.05 ** bucket * (1 + 1e-6));
      }),
    );
    expect([0, 0.5, 1].map(bucketOf)).toEqual([0, 0, 0]);
  });

  it("gives quantiles at most 2.5 % off those of the values themselves", () => {
    fc.assert(
      fc.property(values, fc.double({ min: 0.01, max: 1, noNaN: true }), (numbers, q) => {
        const sorted = [...numbers].sort((a, b) => a - b);
        const exact = sorted[Math.max(0, Math.ceil(q * sorted.length - 1e-12) - 1)]!;
        const estimate = quantile(histogram(numbers), q)!;
        expect(Math.abs(estimate - exact) / exact).toBeLessThanOrEqual(0.025);
      }),
    );
  });

  it("gives a mean at most 2.5 % off", () => {
    fc.assert(
      fc.property(values, (numbers) => {
        const exact = numbers.reduce((sum, value) => sum + value, 0) / numbers.length;
        expect(Math.abs(mean(histogram(numbers))! - exact) / exact).toBeLessThanOrEqual(0.025);
      }),
    );
  });

  it("is the same whether counted together or apart and merged, in either order", () => {
    fc.assert(
      fc.property(values, values, (a, b) => {
        const together = histogram([...a, ...b]);
        expect(merge(histogram(a), histogram(b))).toEqual(together);
        expect(merge(histogram(b), histogram(a))).toEqual(together);
        expect(total(together)).toBe(a.length + b.length);
      }),
    );
  });

  it("counts nothing where nothing was measured", () => {
    for (const value of [null, Number.NaN, Number.POSITIVE_INFINITY, -1]) {
      expect(histogramOf(value)).toEqual({});
      expect(add({ "3": 1 }, value)).toEqual({ "3": 1 });
    }
    expect(quantile({}, 0.5)).toBeNull();
    expect(mean({})).toBeNull();
    expect(total({})).toBe(0);
  });

  it("leaves out keys of a damaged record that are no buckets", () => {
    const damaged = JSON.parse('{"3": 2, "__proto__": 5, "x": 1, "-4": 1, "1.5": 1}') as Histogram;
    expect(total(damaged)).toBe(2);
    expect(merge(damaged, {})).toEqual({ "3": 2 });
  });
});

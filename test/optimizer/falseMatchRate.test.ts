import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  largestDistance,
  UNRELATED_BIT_DIFFERS,
  unrelatedWithin,
} from "../../src/optimizer/falseMatchRate.js";

/** The binomial distribution function from exact coefficients. */
function plainBinomial(bits: number, distance: number): number {
  const p = UNRELATED_BIT_DIFFERS;
  let coefficient = 1n;
  let sum = 0;
  for (let d = 0; d <= distance; d++) {
    sum += Number(coefficient) * p ** d * (1 - p) ** (bits - d);
    coefficient = (coefficient * BigInt(bits - d)) / BigInt(d + 1);
  }
  return sum;
}

describe("unrelatedWithin", () => {
  it("is the binomial distribution function", () => {
    for (const bits of [64, 128]) {
      const within = unrelatedWithin(bits);
      expect(within).toHaveLength(bits + 1);
      for (const d of [0, 1, 7, 20, 40, bits]) expect(within[d]! / plainBinomial(bits, d)).toBeCloseTo(1, 9);
    }
  });
});

describe("largestDistance", () => {
  const within = unrelatedWithin(128);

  it("is the largest distance that keeps the rate", () => {
    fc.assert(
      fc.property(
        fc.double({ min: 1e-6, max: 0.1, noNaN: true }),
        fc.integer({ min: 1, max: 1e6 }),
        (rate, n) => {
          const distance = largestDistance(within, rate, n);
          expect(within[distance]! * n).toBeLessThanOrEqual(rate * (1 + 1e-9));
          expect(within[distance + 1]! * n).toBeGreaterThan(rate * (1 - 1e-9));
        },
      ),
    );
  });

  it("falls as there is more to compare with", () => {
    expect([1, 100, 10_000 * 5, 1_000_000].map((n) => largestDistance(within, 0.001, n))).toEqual([
      39, 33, 27, 24,
    ]);
  });

  it("is -1 where not even equal fingerprints are rare enough", () => {
    expect(largestDistance(unrelatedWithin(64), 1e-30, 1e6)).toBe(-1);
  });
});

import fc from "fast-check";
import { expect, test } from "vitest";
import { Distributions } from "../../src/monitor/distributions.js";
import { bucketOf, histogramOf, merge } from "../../src/optimizer/histogram.js";

/** Few as well as many: what is a list, and what is sketches. */
const calls = fc.array(fc.tuple(fc.nat(2), fc.double({ min: 0, max: 1e12, noNaN: true })), {
  maxLength: 400,
  size: "max",
});

function of(list: readonly (readonly [number, number])[]): Distributions {
  const distributions = new Distributions(3);
  for (const [metric, value] of list) distributions.add(metric, bucketOf(value));
  return distributions;
}

const histogram = (list: readonly (readonly [number, number])[], metric: number) =>
  list
    .filter(([own]) => own === metric)
    .map(([, value]) => histogramOf(value))
    .reduce(merge, {});

test("each metric's values are counted as the store's histograms count them, few or many", () => {
  fc.assert(
    fc.property(calls, (list) => {
      const distributions = of(list);

      for (const metric of [0, 1, 2])
        expect(distributions.histogram(metric)).toEqual(histogram(list, metric));
    }),
  );
});

test("added together they are the distributions of all values", () => {
  fc.assert(
    fc.property(calls, calls, (some, others) => {
      const sum = of(some);
      const before = sum.bytes;
      expect(of(others).addTo(sum)).toBe(sum.bytes - before);

      for (const metric of [0, 1, 2]) {
        expect(sum.histogram(metric)).toEqual(histogram([...some, ...others], metric));
      }
    }),
  );
});

test("a look at few values leaves them as small as they are", () => {
  const few = of([
    [0, 100],
    [1, 20],
  ]);
  const { bytes } = few;
  few.histogram(0);

  expect(few.bytes).toBe(bytes);
});

test("a few values take a tenth of what sketches take", () => {
  const few = of([
    [0, 100],
    [1, 20],
    [2, 45],
  ]);
  const many = of(Array.from({ length: 300 }, (_, index) => [index % 3, 100 * (1 + (index % 50))] as const));

  expect(few.bytes).toBeLessThan(many.bytes / 10);
});

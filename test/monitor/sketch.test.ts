import fc from "fast-check";
import { expect, test } from "vitest";
import { Sketch } from "../../src/monitor/sketch.js";
import { bucketOf, histogramOf, merge, quantile } from "../../src/optimizer/histogram.js";
import { lognormal, seeded } from "./calls.js";

const values = fc.array(fc.double({ min: 0, max: 1e9, noNaN: true }));

function sketchOf(list: readonly number[]): Sketch {
  const sketch = new Sketch();
  for (const value of list) sketch.add(bucketOf(value));
  return sketch;
}

test("a sketch counts what the store's histograms count", () => {
  fc.assert(
    fc.property(values, (list) => {
      const histogram = list.map((value) => histogramOf(value)).reduce(merge, {});

      expect(sketchOf(list).histogram()).toEqual(histogram);
    }),
  );
});

test("two sketches added are the sketch of all values", () => {
  fc.assert(
    fc.property(values, values, (some, others) => {
      const sum = sketchOf(some);
      sketchOf(others).forEach((bucket, count) => {
        sum.add(bucket, count);
      });

      expect(sum.histogram()).toEqual(sketchOf([...some, ...others]).histogram());
    }),
  );
});

test("response times of a model take less than a kilobyte, with quantiles at most 2.4 % off", () => {
  const random = seeded(7);
  const times = Array.from({ length: 20_000 }, () => lognormal(random, 1_200, 0.6));
  const sketch = sketchOf(times);
  times.sort((a, b) => a - b);

  expect(sketch.bytes).toBeLessThan(1_000);
  for (const share of [0.01, 0.5, 0.9, 0.99, 0.999]) {
    const exact = times[Math.ceil(share * times.length) - 1]!;
    expect(Math.abs(quantile(sketch.histogram(), share)! / exact - 1)).toBeLessThan(0.0245);
  }
});

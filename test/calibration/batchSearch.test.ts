import { expect, test } from "vitest";
import { candidateBatches, predictedBatchBytes, undecided } from "../../src/calibration/batchSearch.js";
import { estimate } from "../../src/calibration/estimate.js";

const measured = (numBatch: number, ...rates: number[]) => ({ numBatch, rate: estimate(rates)! });

test("batches that would hold the whole prompt are not told apart, and 2,048 is the largest", () => {
  expect(candidateBatches(200)).toEqual([64, 128]);
  expect(candidateBatches(512)).toEqual([64, 128, 256, 512]);
  expect(candidateBatches(100_000)).toEqual([64, 128, 256, 512, 1024, 2048]);
});

test("a batch that is certainly slower than what is tolerated is measured no more", () => {
  const slow = measured(64, 50, 52, 51);
  const best = measured(256, 100, 120);
  expect(undecided([slow, best])).toEqual([256]);
});

test("a batch that may be good enough is measured until its interval is narrow", () => {
  const wide = measured(128, 90, 105, 97);
  const best = measured(256, 100, 101, 100, 101);
  expect(undecided([wide, best])).toEqual([128]);
  expect(undecided([measured(128, 96, 97, 96, 97), best])).toEqual([]);
});

test("a single measurement is never enough", () => {
  expect(undecided([measured(128, 100), measured(256, 200)])).toEqual([128, 256]);
  expect(undecided([])).toEqual([]);
});

test("bytes of a larger batch follow the line of the two largest, and never shrink", () => {
  const sizes = [
    { numBatch: 64, sizeBytes: 1000 },
    { numBatch: 128, sizeBytes: 1100 },
    { numBatch: 256, sizeBytes: 1400 },
  ];
  expect(predictedBatchBytes(sizes, 512)).toBe(1400 + (300 / 128) * 256);
  expect(predictedBatchBytes(sizes.slice(0, 1), 128)).toBe(2000);
  expect(
    predictedBatchBytes(
      [
        { numBatch: 64, sizeBytes: 9 },
        { numBatch: 128, sizeBytes: 8 },
      ],
      256,
    ),
  ).toBe(8);
});

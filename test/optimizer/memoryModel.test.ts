import { expect, test } from "vitest";
import {
  memoryLine,
  predictedBytes,
  unspilledLimit,
  withMemoryPoint,
} from "../../src/optimizer/memoryModel.js";

const point = (numCtx: number, sizeBytes: number, more: { numBatch?: number; vramBytes?: number } = {}) => ({
  numCtx,
  numBatch: more.numBatch ?? null,
  sizeBytes,
  vramBytes: more.vramBytes ?? sizeBytes,
});
/** 128 KiB a token: 32 layers, 8 KV heads, dimension 128, f16. */
const SLOPE = 131_072;
const BASE = 5e9;
const exact = (numCtx: number, vramBytes?: number) => point(numCtx, BASE + SLOPE * numCtx, { vramBytes });

test("two windows show the slope and the weights", () => {
  const line = memoryLine([exact(4096), exact(8192)], null)!;
  expect(line.bytesPerToken).toBeCloseTo(SLOPE, 3);
  expect(predictedBytes(line, 32_768)).toBeCloseTo(BASE + SLOPE * 32_768, -2);
});

test("one window, or points of another batch, are no line", () => {
  expect(memoryLine([exact(4096)], null)).toBeNull();
  expect(memoryLine([exact(4096), exact(4096)], null)).toBeNull();
  expect(memoryLine([exact(4096), point(8192, 9e9, { numBatch: 256 })], null)).toBeNull();
});

test("memory that falls with the window is no line", () => {
  expect(memoryLine([point(4096, 6e9), point(8192, 5e9)], null)).toBeNull();
});

test("the largest window without a spill follows from what a spilled load got", () => {
  const gpu = BASE + SLOPE * 10_000;
  expect(unspilledLimit([exact(4096), exact(16_384, gpu)], null)).toBe(9728);
});

test("without a spill nothing limits", () => {
  expect(unspilledLimit([exact(4096), exact(8192)], null)).toBe(Number.POSITIVE_INFINITY);
  expect(unspilledLimit([exact(4096, 0), exact(8192, 0)], null)).toBe(Number.POSITIVE_INFINITY);
  expect(unspilledLimit([exact(16_384, BASE)], null)).toBe(Number.POSITIVE_INFINITY);
});

test("the latest point of each window and batch stays, at most 16", () => {
  const points = withMemoryPoint([point(4096, 5e9), point(8192, 6e9)], point(4096, 5.5e9));
  expect(points).toEqual([point(8192, 6e9), point(4096, 5.5e9)]);
  expect(withMemoryPoint(points, point(4096, 5.5e9))).toBe(points);
  let many = points;
  for (let index = 1; index <= 40; index++) many = withMemoryPoint(many, point(256 * index, index));
  expect(many).toHaveLength(16);
  expect(many.at(-1)).toEqual(point(256 * 40, 40));
});

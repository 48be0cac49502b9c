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

test("where the server chooses the batch, windows of one choice make the line", () => {
  // Ollama 0.34.0 without num_batch, a model of 13 MB: 512 up to 4,096 tokens, 1,024 above.
  const measured = [
    point(2048, 30_282_874),
    point(4096, 40_768_634),
    point(8192, 76_472_646),
    point(16_384, 126_804_294),
  ];
  expect(predictedBytes(memoryLine(measured, null)!, 10_240)).toBe(89_055_558);
  expect(predictedBytes(memoryLine(measured.slice(0, 3), null)!, 3072)).toBe(35_525_754);
  expect(memoryLine(measured.slice(1, 3), null)!.bytesPerToken).toBeGreaterThan(6144);
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

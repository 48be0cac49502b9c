import { expect, test } from "vitest";
import { chooseBatch } from "../../src/optimizer/batch.js";

const measured = (numBatch: number, promptTokensPerSecond: number) => ({
  numBatch,
  promptTokensPerSecond,
  sizeBytes: null,
});

test("without evidence Ollama chooses", () => {
  expect(chooseBatch([], false)).toBeUndefined();
  expect(chooseBatch([measured(128, 1000)], false)).toBeUndefined();
});

test("of measured batches it is the smallest within 10 % of the best rate", () => {
  const batches = [measured(1024, 1000), measured(512, 960), measured(256, 900), measured(128, 700)];
  expect(chooseBatch(batches, false)).toBe(256);
  expect(chooseBatch(batches, true)).toBe(256);
});

test("under memory pressure without evidence it is half of Ollama's default", () => {
  expect(chooseBatch([], true)).toBe(256);
});

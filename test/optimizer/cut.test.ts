import { expect, test } from "vitest";
import { isCut, isShifted } from "../../src/optimizer/cut.js";
import type { PromptSize } from "../../src/optimizer/decide.js";

const exact = (tokens: number): PromptSize => ({ tokens, source: "exact", upperBound: tokens });
const estimate = (tokens: number, upperBound: number): PromptSize => ({
  tokens,
  source: "estimate",
  upperBound,
});

test.each([4096, 4095, 2051, 2050])("%i tokens of a longer prompt in a window of 4096 are a cut", (count) => {
  // 0.24, 0.30.0 to 0.30.10, 0.30.11 on.
  expect(isCut(exact(12_054), count, 4096)).toBe(true);
  expect(isCut(estimate(9000, 50_000), count, 4096)).toBe(true);
});

test("a prompt that fits is never cut, whatever its size", () => {
  expect(isCut(exact(2051), 2051, 4096)).toBe(false);
  expect(isCut(exact(4096), 4096, 4096)).toBe(false);
  expect(isCut(estimate(2000, 4000), 2051, 4096)).toBe(false);
});

test("a count that is a few tokens high is no cut", () => {
  expect(isCut(exact(3000), 2997, 4096)).toBe(false);
  expect(isCut(exact(3000), 2997, null)).toBe(false);
});

test("whole messages dropped from an exact count are a cut of any size", () => {
  expect(isCut(exact(12_054), 3777, 4096)).toBe(true);
  expect(isCut(exact(12_054), 3777, null)).toBe(true);
});

test("without an exact count other sizes than those of a cut say nothing", () => {
  expect(isCut(estimate(9000, 50_000), 3777, 4096)).toBe(false);
  expect(isCut(null, 2051, 4096)).toBe(true);
  expect(isCut(null, 2051, null)).toBe(false);
});

test("prompt and reply beyond the window were shifted, though the reply says stop", () => {
  expect(isShifted({ numPredict: undefined }, 18, 438, "stop", 256)).toBe(true);
  expect(isShifted({ numPredict: undefined }, 18, 238, "stop", 256)).toBe(true);
  expect(isShifted({ numPredict: undefined }, 18, 237, "stop", 256)).toBe(false);
  expect(isShifted({ numPredict: undefined }, 18, 438, "stop", null)).toBe(false);
});

test("a reply that num_predict stopped at the window's end is an honest length", () => {
  expect(isShifted({ numPredict: 238 }, 18, 238, "length", 256)).toBe(false);
  expect(isShifted({ numPredict: 500 }, 18, 238, "length", 256)).toBe(true);
});

import { expect, test } from "vitest";
import { isCut, isShifted, seemsCut } from "../../src/optimizer/cut.js";
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

test.each([
  ["its bytes fit the window", { estimate: 900, upperBound: 4096 }, 2051, 4096, false],
  ["its bytes are no more than what was read", { estimate: 900, upperBound: 3000 }, 3000, null, false],
  ["a cut's size was read of a longer one", { estimate: 9000, upperBound: 36_000 }, 2051, 4096, true],
  ["messages were dropped", { estimate: 9000, upperBound: 36_000 }, 3777, 4096, true],
  [
    "about as much was read as it is thought to have",
    { estimate: 3500, upperBound: 9000 },
    3000,
    4096,
    false,
  ],
  ["perhaps messages were dropped", { estimate: 4000, upperBound: 16_000 }, 2500, 4096, null],
  ["a run of one character is long in bytes only", { estimate: 4000, upperBound: 20_000 }, 1000, 4096, null],
  ["hardly anything was read", { estimate: 9000, upperBound: 36_000 }, 2051, null, true],
  ["the window is unknown", { estimate: 6000, upperBound: 24_000 }, 2051, null, null],
] as const)("of a prompt that nobody counted, %s", (_, prompt, count, window, cut) => {
  expect(seemsCut(prompt, count, window)).toBe(cut);
});

import { expect, test } from "vitest";
import { type GrowthInputs, grownWindow, meanSpacing } from "../../src/optimizer/growth.js";

const inputs = (more: Partial<GrowthInputs>): GrowthInputs => ({
  needTokens: 10_000,
  largestNeeds: [],
  extendsEarlierCall: false,
  otherModelsLoaded: 0,
  limit: 131_072,
  ...more,
});

test("without experience, growth leaves 15 %", () => {
  expect(grownWindow(inputs({}))).toBe(11_520);
});

test("the wider the largest needs are spread, the further it grows, up to 1.6 x the need", () => {
  // Spacing of 10000, 9500, 9000, 8500, 8000 is 500: 11000 is below the 15 %.
  expect(grownWindow(inputs({ largestNeeds: [9500, 9000, 8500, 8000] }))).toBe(11_520);
  // Spacing 1500: 10000 + 3000 = 13000.
  expect(grownWindow(inputs({ largestNeeds: [8500, 7000, 5500, 4000] }))).toBe(13_824);
  // Spacing 9000: 28000, limited to 16000.
  expect(grownWindow(inputs({ largestNeeds: [1000] }))).toBe(16_384);
});

test("a conversation grows past the next round budget", () => {
  const conversation = (needTokens: number) => grownWindow(inputs({ needTokens, extendsEarlierCall: true }));
  expect(conversation(5000)).toBe(9728);
  expect(conversation(9000)).toBe(19_456);
  expect(conversation(12_200)).toBe(19_456);
  // Three quarters of 16k are full: the next budget is 32k.
  expect(conversation(12_400)).toBe(38_912);
});

test("beside other models it takes only what it needs", () => {
  expect(grownWindow(inputs({ otherModelsLoaded: 1, extendsEarlierCall: true, largestNeeds: [1000] }))).toBe(
    11_520,
  );
  expect(grownWindow(inputs({ needTokens: 9700, otherModelsLoaded: 1 }))).toBe(9728);
});

test("a margin that would spill is not taken, a need that spills is", () => {
  expect(grownWindow(inputs({ extendsEarlierCall: true, unspilledLimit: 13_824 }))).toBe(13_824);
  expect(grownWindow(inputs({ extendsEarlierCall: true, unspilledLimit: 8192 }))).toBe(11_520);
});

test("the limit is never passed", () => {
  expect(grownWindow(inputs({ limit: 10_500, extendsEarlierCall: true }))).toBe(10_500);
});

test("the mean spacing is that of the five largest values", () => {
  expect(meanSpacing([500, 100, 900, 700, 300, 1])).toBe(200);
  expect(meanSpacing([5, 5, 5])).toBe(0);
  expect(meanSpacing([5])).toBe(0);
  expect(meanSpacing([])).toBe(0);
});

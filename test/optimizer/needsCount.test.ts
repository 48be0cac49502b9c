import { expect, test } from "vitest";
import { needsCount } from "../../src/optimizer/needsCount.js";
import type { OutputReserve } from "../../src/optimizer/reserve.js";
import { config, loadedWith, NOW, slotWith } from "./situation.js";

const learned = (tokens: number): OutputReserve => ({ tokens, source: "model" });
const needs = (slot = loadedWith(8192), bound = 4096, reserve = learned(1000), explicit = {}) =>
  needsCount(slot, bound, reserve, explicit, config);

test("a bound that leaves half the window and twice the reserve decides alone", () => {
  expect(needs(loadedWith(8192), 4096)).toBe(false);
  expect(needs(loadedWith(8192), 4097)).toBe(true);
  expect(needs(loadedWith(8192), 2192, learned(3000))).toBe(false);
  expect(needs(loadedWith(8192), 2193, learned(3000))).toBe(true);
});

test("what the user allows for the reply is enough room", () => {
  const set: OutputReserve = { tokens: 100, source: "numPredict" };
  expect(needs(loadedWith(8192), 8092, set)).toBe(false);
  expect(needs(loadedWith(8192), 8093, set)).toBe(true);
});

test("an embedding needs no room", () => {
  expect(needs(loadedWith(8192), 8192, { tokens: 0, source: "none" })).toBe(false);
});

test("an empty slot will hold the minimum window, or all that the model has", () => {
  expect(needs(slotWith({}), 2048)).toBe(false);
  expect(needs(slotWith({}), 2049)).toBe(true);
  expect(needs(slotWith({ trained: 2048 }), 1025, learned(1))).toBe(true);
});

test("the window that counts is the one the call will meet", () => {
  const pending = { options: { num_ctx: 16_384 }, since: NOW, calls: 1 };
  expect(needs({ ...loadedWith(4096), pending }, 8192)).toBe(false);
  expect(needs(loadedWith(16_384), 3000, learned(10), { num_ctx: 4096 })).toBe(true);
  expect(needs(loadedWith(16_384, { known: { pinnedNumCtx: 4096 } }), 3000, learned(10))).toBe(true);
});

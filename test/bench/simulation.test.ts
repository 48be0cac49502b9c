import { expect, test } from "vitest";
import { meanOver, simulate } from "../../bench/simulation.js";
import { prose, TOKENS_PER_WORD, workload } from "../../bench/workload.js";

test("a seed gives the same calls and the same text every time", () => {
  const calls = () => [...workload({ seed: 7, calls: 40 })].map((call) => call.messages());
  expect(calls()).toEqual(calls());
  expect([...workload({ seed: 8, calls: 40 })].map((call) => call.messages())).not.toEqual(calls());
});

test("a call's text has as many words as it says", () => {
  for (const call of workload({ seed: 3, calls: 60 })) {
    const words = call.messages().reduce((sum, message) => sum + message.content.split(" ").length, 0);
    expect(words).toBe(call.words);
  }
  expect(prose(0, 1)).toBe("");
});

test("the mixture is recurring templates, a tenth of one-offs, and conversations that grow past 32k tokens", () => {
  const calls = [...workload({ seed: 1 })];
  const share = (kind: string) => calls.filter((call) => call.kind === kind).length / calls.length;
  expect(calls).toHaveLength(1000);
  expect(share("one-off")).toBeCloseTo(0.1, 1);
  expect(share("conversation")).toBeCloseTo(0.25, 1);
  const largest = Math.max(...calls.map((call) => call.words * TOKENS_PER_WORD));
  expect(largest).toBeGreaterThan(32_768);
  expect(largest).toBeLessThan(38_000);
});

test("a conversation's messages begin with those of the turn before", () => {
  const turns = [...workload({ seed: 2, calls: 100, conversationShare: 1, oneOffShare: 0 })];
  const [first, second] = [turns[0]!, turns[1]!];
  expect(first.extendsEarlierCall).toBe(false);
  expect(second.extendsEarlierCall).toBe(true);
  expect(second.messages().slice(0, 2)).toEqual(first.messages());
});

test("after the first 50 calls the model is loaded at most once in 1,000 calls, and nothing is cut", () => {
  const ours = meanOver("this package", 20);
  expect(ours.lateLoads).toBeLessThanOrEqual(1);
  expect(ours.cut).toBe(0);
});

test("its window is at most half of the fixed maximum and 0.8 of sticky doubling, with no more loads", () => {
  const [ours, fixed, doubling] = ["this package", "fixed maximum", "sticky doubling"].map((name) =>
    meanOver(name, 20),
  );
  expect(ours!.finalWindow).toBeLessThanOrEqual(0.5 * fixed!.finalWindow);
  expect(ours!.finalWindow).toBeLessThanOrEqual(0.8 * doubling!.finalWindow);
  expect(ours!.meanWindow).toBeLessThanOrEqual(0.8 * doubling!.meanWindow);
  expect(ours!.loads).toBeLessThan(doubling!.loads);
});

test("the simulated server knows what the others cost: a default that cuts, a reload for each request", () => {
  expect(simulate("plain default", { seed: 1 }).cut).toBeGreaterThan(100);
  expect(simulate("per request", { seed: 1 }).loads).toBeGreaterThan(900);
});

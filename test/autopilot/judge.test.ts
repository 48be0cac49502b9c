import { expect, test } from "vitest";
import { judgeStep } from "../../src/autopilot/judge.js";
import { NOW, step, WELL } from "./support.js";

const MINUTE = 60_000;
const judged = (fields = {}, after = {}, minutes = 20, reloaded = true) =>
  judgeStep(step(fields), { ...WELL, ...after }, reloaded, NOW + minutes * MINUTE);

test("a step that brought what it was to bring is kept, with the figures", () => {
  expect(judged({}, { hitRate: 0.4 })).toEqual({
    state: "kept",
    text: "It helped: Hit rate 40.0 % after 10.0 %",
  });
});

test("a step that moved nothing is taken back", () => {
  expect(judged({}, { hitRate: 0.11 })).toMatchObject({ state: "reverted" });
  const before = { ...WELL, memory: 95 };
  expect(judged({ goal: "memory", type: "window", before }, { memory: 94.5 })).toMatchObject({
    state: "reverted",
  });
  expect(judged({ goal: "memory", type: "window", before }, { memory: 80 })).toMatchObject({ state: "kept" });
});

test("a step that made calls slower is taken back, whatever it brought", () => {
  expect(judged({}, { hitRate: 0.9, response: 1_250 })).toEqual({
    state: "reverted",
    text: "Calls became slower: median 1250 ms after 1000 ms",
  });
});

test("it is too early before ten minutes, before 20 calls, and before a load that a window needs", () => {
  expect(judged({}, { hitRate: 0.9 }, 9)).toBeNull();
  expect(judged({}, { hitRate: 0.9, lookups: 19 })).toBeNull();
  expect(judged({ goal: "cpu", type: "concurrency" }, { cpu: 1, calls: 19 })).toBeNull();
  expect(judged({ goal: "memory", type: "window" }, { memory: 10 }, 20, false)).toBeNull();
});

test("what shows nothing for a day is taken back", () => {
  expect(judged({}, { lookups: 3 }, 24 * 60)).toMatchObject({ state: "reverted" });
});

test("an effect that was not measured is none", () => {
  expect(judged({}, { hitRate: null })).toMatchObject({ state: "reverted" });
});

import { expect, test } from "vitest";
import { Gate, optimizeCalls } from "../../src/autopilot/index.js";
import { EntryCache } from "../../src/cache/entryCache.js";
import { Monitor } from "../../src/monitor/index.js";

/** A function that counts its calls. */
function counting<T>(result: T) {
  const state = { calls: 0 };
  const fn = async () => {
    state.calls++;
    await new Promise((resolve) => setImmediate(resolve));
    return result;
  };
  return { fn, state };
}

test("a second call with the same key gets the first one's result, as a copy of its own", async () => {
  const optimizeCall = optimizeCalls({ cache: new EntryCache() });
  const { fn, state } = counting({ city: "Oslo", days: [1, 2] });
  const first = await optimizeCall("weather/oslo", fn);
  first.days.push(3);
  const second = await optimizeCall("weather/oslo", fn);

  expect(second).toEqual({ city: "Oslo", days: [1, 2] });
  expect(state.calls).toBe(1);
});

test("equal calls at the same time run the function once", async () => {
  const optimizeCall = optimizeCalls({ cache: new EntryCache() });
  const { fn, state } = counting(7);
  const results = await Promise.all(Array.from({ length: 10 }, () => optimizeCall("k", fn)));

  expect(results).toEqual(Array(10).fill(7));
  expect(state.calls).toBe(1);
});

test("what lies damaged under a key is a miss", async () => {
  const cache = new EntryCache();
  await cache.set("call/k", "{");
  const { fn, state } = counting(null);
  const optimizeCall = optimizeCalls({ cache });
  expect([await optimizeCall("k", fn), await optimizeCall("k", fn)]).toEqual([null, null]);
  expect(state.calls).toBe(1);
});

test("a result lives as long as it is told to, and is forgotten by pattern", async () => {
  let now = 0;
  const cache = new EntryCache({ now: () => now });
  const optimizeCall = optimizeCalls({ cache });
  const { fn, state } = counting("x");
  await optimizeCall("a/1", fn, { ttlSeconds: 10 });
  now = 9_999;
  await optimizeCall("a/1", fn);
  expect(state.calls).toBe(1);
  now = 10_000;
  await optimizeCall("a/1", fn, { ttlSeconds: null });
  expect(state.calls).toBe(2);
  await cache.invalidate("call/a/*");
  await optimizeCall("a/1", fn);
  expect(state.calls).toBe(3);
});

test.each([
  ["nothing", undefined],
  ["a date", new Date(0)],
  ["a map", new Map([["a", 1]])],
  ["something with nothing in it", { a: undefined }],
])("%s is not remembered, as JSON would change it", async (_, value) => {
  const optimizeCall = optimizeCalls({ cache: new EntryCache() });
  const { fn, state } = counting(value);
  await optimizeCall("k", fn);

  expect(await optimizeCall("k", fn)).toBe(value);
  expect(state.calls).toBe(2);
});

test("an error is the caller's, counted and not remembered", async () => {
  const monitor = new Monitor();
  const optimizeCall = optimizeCalls({ cache: new EntryCache(), monitor });
  let calls = 0;
  const failing = async (): Promise<string> => {
    calls++;
    throw new RangeError("with private words");
  };
  for (const _ of [1, 2]) await expect(optimizeCall("k", failing)).rejects.toThrow(RangeError);

  expect(calls).toBe(2);
  expect(monitor.figures({ minutes: 5 }, { model: "failing" })).toMatchObject({ calls: 2, errors: 2 });
  expect(JSON.stringify(monitor.recent())).not.toContain("private");
});

test("calls are told to the monitor by name, hits are none", async () => {
  const monitor = new Monitor();
  const optimizeCall = optimizeCalls({ cache: new EntryCache(), monitor });
  const { fn } = counting(1);
  for (const _ of [1, 2, 3]) await optimizeCall("k", fn, { name: "lookup" });

  expect(monitor.figures({ minutes: 5 }, { model: "lookup" })).toMatchObject({ calls: 1, errors: 0 });
});

test("a gate limits how many run at once", async () => {
  const gate = new Gate(2);
  const optimizeCall = optimizeCalls({ gate });
  const { fn, state } = counting(1);
  await Promise.all(Array.from({ length: 6 }, (_, index) => optimizeCall(`k${index}`, fn)));

  expect(state.calls).toBe(6);
  expect(gate.busiest).toBe(2);
});

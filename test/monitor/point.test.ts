import { expect, test } from "vitest";
import { pointOf } from "../../src/monitor/point.js";
import type { RequestRecord } from "../../src/records.js";
import { call, NOON } from "./calls.js";

test("a call's speed, memory and spill are read from its record", () => {
  const host = { cpuPercent: 40, memoryUsedBytes: 8e9, memoryTotalBytes: 32e9 };
  const point = pointOf(
    call(NOON, { outputTokens: 96, outputMs: 480, host, modelBytes: 8e9, modelVramBytes: 6e9 }),
    NOON,
  );

  expect(point).toMatchObject({
    tokensPerSecond: 200,
    cpuPercent: 40,
    memoryPercent: 25,
    spilledShare: 0.25,
  });
});

test("a model on a CPU machine has no spill", () => {
  expect(pointOf(call(NOON, { modelVramBytes: 0 }), NOON)?.spilledShare).toBeNull();
});

test("how long a call took to fail is no response time", () => {
  const point = pointOf(call(NOON, { error: "SERVER_UNREACHABLE", totalMs: 3 }), NOON);

  expect(point).toMatchObject({ isError: true, totalMs: null });
});

test("only a load that the decision calls a reload is one", () => {
  const outcome = { retries: 0, reloaded: true, shifted: false, cut: false, error: null };
  const decision = { outcome } as RequestRecord["decision"];

  expect(pointOf(call(NOON, { loadMs: 900, decision }), NOON)?.reloadMs).toBe(900);
  expect(pointOf(call(NOON, { loadMs: 20 }), NOON)?.reloadMs).toBeNull();
});

test.each<[string, Partial<RequestRecord>]>([
  ["a time that is none", { at: "yesterday" }],
  ["a time in the future", { at: new Date(NOON + 120_000).toISOString() }],
  ["a time before 1970", { at: "1969-12-31T23:59:59Z" }],
  ["a negative duration", { totalMs: -1 }],
  ["a duration that is not a number", { totalMs: Number.NaN }],
  ["an endless duration", { timeToFirstTokenMs: Number.POSITIVE_INFINITY }],
  ["negative tokens", { outputTokens: -5 }],
])("%s is refused", (_, fields) => {
  expect(pointOf(call(NOON, fields), NOON)).toBeNull();
});

test("a clock that is half a minute ahead is believed", () => {
  expect(pointOf(call(NOON + 30_000), NOON)).not.toBeNull();
});

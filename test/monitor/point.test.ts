import { expect, test } from "vitest";
import { pointOf } from "../../src/monitor/point.js";
import type { RequestRecord } from "../../src/records.js";
import { call, NOON } from "./calls.js";

const point = (request: RequestRecord) => pointOf(request, Date.parse(request.at), NOON);

test("a call's speed, memory and spill are read from its record", () => {
  const host = { cpuPercent: 40, memoryUsedBytes: 8e9, memoryTotalBytes: 32e9 };
  const measured = { outputTokens: 96, outputMs: 480, host, modelBytes: 8e9, modelVramBytes: 6e9 };

  expect(point(call(NOON, measured))).toMatchObject({
    tokensPerSecond: 200,
    cpuPercent: 40,
    memoryPercent: 25,
    spilledShare: 0.25,
  });
});

test("several GPUs are told of together, and what one does not tell is left out", () => {
  const gpu = { name: "a", usePercent: 80, memoryUsedBytes: 6, memoryTotalBytes: 8, watts: 200 };
  const gpus = [gpu, { ...gpu, usePercent: null, memoryUsedBytes: 0 }, { ...gpu, usePercent: 40 }];
  const host = { cpuPercent: 1, memoryUsedBytes: 1, memoryTotalBytes: 2, gpus };

  expect(point(call(NOON, { host }))).toMatchObject({ gpuPercent: 60, gpuMemoryPercent: 50 });
  expect(point(call(NOON))).toMatchObject({ gpuPercent: null, gpuMemoryPercent: null });
});

test("a model on a CPU machine has no spill", () => {
  expect(point(call(NOON, { modelVramBytes: 0 }))?.spilledShare).toBeNull();
});

test("how long a call took to fail is no response time", () => {
  expect(point(call(NOON, { error: "SERVER_UNREACHABLE", totalMs: 3 }))).toMatchObject({
    isError: true,
    totalMs: null,
  });
});

test("only a load that the decision calls a reload is one", () => {
  const outcome = { retries: 0, reloaded: true, shifted: false, cut: false, error: null };
  const decision = { outcome } as RequestRecord["decision"];

  expect(point(call(NOON, { loadMs: 900, decision }))?.reloadMs).toBe(900);
  expect(point(call(NOON, { loadMs: 20 }))?.reloadMs).toBeNull();
});

const HOST = { cpuPercent: 5, memoryUsedBytes: 1, memoryTotalBytes: 2 };

test.each<[string, Partial<RequestRecord>]>([
  ["a time that is none", { at: "yesterday" }],
  ["a time in the future", { at: new Date(NOON + 120_000).toISOString() }],
  ["a time before 1970", { at: "1969-12-31T23:59:59Z" }],
  ["a negative duration", { totalMs: -1 }],
  ["a duration that is not a number", { totalMs: Number.NaN }],
  ["a count of cached tokens that is not a number", { cachedTokens: Number.NaN }],
  ["a negative load", { loadMs: -5 }],
  ["a model's size that is not a number", { modelBytes: Number.NaN }],
  ["a processor's load that is not a number", { host: { ...HOST, cpuPercent: Number.NaN } }],
  ["an endless duration", { timeToFirstTokenMs: Number.POSITIVE_INFINITY }],
  ["negative tokens", { outputTokens: -5 }],
])("%s is refused", (_, fields) => {
  expect(point(call(NOON, fields))).toBeNull();
});

test("a clock that is half a minute ahead is believed", () => {
  expect(point(call(NOON + 30_000))).not.toBeNull();
});

test("a machine that tells no memory has no share of it", () => {
  const host = { ...HOST, memoryTotalBytes: 0 };
  expect(pointOf(call(NOON, { host }), NOON, NOON)?.memoryPercent).toBe(null);
});

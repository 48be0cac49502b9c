import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { costsOf } from "../../src/analysis/costs.js";
import type { Prices } from "../../src/analysis/types.js";
import { request, START } from "./traffic.js";

const HOUR = 3_600_000;
const models = { "llama3.2:3b": { inputPer1k: 0.1, outputPer1k: 0.4, cachedInputPer1k: 0.01 } };

describe("tokens", () => {
  test("cost by model, cached ones less, and what no price is known for is no cost", () => {
    const calls = [
      request(),
      request({ model: "other" }),
      request({ promptTokens: null, outputTokens: null, cachedTokens: null }),
    ];
    const { total, byModel } = costsOf(calls, { models });
    // 100 fresh, 100 cached, 100 out.
    expect(byModel["llama3.2:3b"]?.tokenCost).toBeCloseTo(0.01 + 0.001 + 0.04, 12);
    expect(byModel["llama3.2:3b"]).toMatchObject({ inputCost: 0.011, outputCost: 0.04 });
    expect(byModel.other?.tokenCost).toBeNull();
    expect(total).toMatchObject({
      calls: 3,
      unpricedCalls: 1,
      uncountedCalls: 1,
      computeCost: null,
      electricityCost: null,
    });
  });

  test("cost the price of all others where a model has none, and what another list asks", () => {
    const hosted = { cloud: { inputPer1k: 1, outputPer1k: 2 } };
    const named = { ...models, "*": { inputPer1k: 0, outputPer1k: 1 } };
    const { total } = costsOf([request({ model: "other" })], { models: named, hosted });
    expect(total).toMatchObject({ inputCost: 0, outputCost: 0.1, otherPricedCalls: 1, unpricedCalls: 0 });
    expect(costsOf([request()], { models: named }).total.otherPricedCalls).toBe(0);
    expect(total.hosted.cloud).toBeCloseTo(0.4, 12);
  });

  test("without any price cost nothing that could be named", () => {
    expect(costsOf([request()]).total).toMatchObject({ totalCost: null, tokenCost: null, inputTokens: 200 });
  });
});

describe("time and electricity", () => {
  const prices: Prices = { computePerHour: 3, electricity: { watts: 500, perKilowattHour: 0.4 } };

  test("count calls at the same time once", () => {
    const calls = [0, 0, HOUR / 2].map((shift) => request({ atMs: START + shift, totalMs: HOUR }));
    const { total } = costsOf(calls, prices);
    expect(total).toMatchObject({ callMs: 3 * HOUR, computeMs: 1.5 * HOUR });
    expect(total.computeCost).toBeCloseTo(4.5, 12);
    expect(total.kilowattHours).toBeCloseTo(0.75, 12);
    expect(total.totalCost).toBeCloseTo(4.5 + 0.3, 12);
  });

  test("take watts as measured, call by call; where nothing was measured nothing is reckoned", () => {
    const watts = ({ at }: { at: string }) => (at.includes("T00") ? 100 : null);
    const calls = [request({ totalMs: HOUR }), request({ atMs: START + 2 * HOUR, totalMs: HOUR })];
    const { total } = costsOf(calls, { electricity: { watts, perKilowattHour: 1 } });
    expect(total.kilowattHours).toBeCloseTo(0.1, 12);
  });
});

describe("the calendar", () => {
  test("is that of the time zone: days, ISO weeks and months, also across a change of the clock", () => {
    const calls = [
      "2025-12-31T23:30:00.000Z",
      "2026-03-29T00:30:00.000Z",
      "2026-03-29T22:30:00.000Z",
      "2026-01-01T12:00:00.000Z",
    ].map((at) => request({ at }));
    const berlin = costsOf(calls, { timeZone: "Europe/Berlin" });
    expect(Object.keys(berlin.byDay)).toEqual(["2026-01-01", "2026-03-29", "2026-03-30"]);
    expect(berlin.byDay["2026-01-01"]?.calls).toBe(2);
    expect(Object.keys(berlin.byWeek)).toEqual(["2026-W01", "2026-W13", "2026-W14"]);
    expect(Object.keys(berlin.byMonth)).toEqual(["2026-01", "2026-03"]);
    const kathmandu = costsOf([request({ at: "2026-01-01T18:20:00.000Z" })], { timeZone: "Asia/Kathmandu" });
    expect(Object.keys(kathmandu.byDay)).toEqual(["2026-01-02"]);
  });

  test("agrees with Intl at any moment of any zone", () => {
    const zones = fc.constantFrom(
      "UTC",
      "Europe/Berlin",
      "America/St_Johns",
      "Australia/Lord_Howe",
      "Asia/Kathmandu",
    );
    const moments = fc.date({
      min: new Date("2020-01-01"),
      max: new Date("2030-01-01"),
      noInvalidDate: true,
    });
    fc.assert(
      fc.property(zones, moments, (timeZone, date) => {
        const costs = costsOf([request({ at: date.toISOString() })], { timeZone });
        expect(Object.keys(costs.byDay)).toEqual([
          new Intl.DateTimeFormat("sv-SE", { timeZone }).format(date),
        ]);
      }),
    );
  });
});

test("every division adds up to the total, tags aside", () => {
  const call = fc.record({
    atMs: fc.integer({ min: START, max: START + 40 * 24 * HOUR }),
    model: fc.constantFrom("llama3.2:3b", "b", "__proto__"),
    templateId: fc.constantFrom("t1", null),
    owner: fc.constantFrom("ann", undefined),
    tags: fc.constantFrom(undefined, [], ["x"], ["x", "y"]),
    totalMs: fc.integer({ min: 0, max: HOUR }),
    outputTokens: fc.integer({ min: 0, max: 5000 }),
  });
  fc.assert(
    fc.property(fc.array(call, { maxLength: 60 }), (fields) => {
      const costs = costsOf(
        fields.map((each) => request(each)),
        { models: { "*": { inputPer1k: 1, outputPer1k: 2 } }, computePerHour: 1 },
      );
      for (const lines of [
        costs.byDay,
        costs.byWeek,
        costs.byMonth,
        costs.byModel,
        costs.byTemplate,
        costs.byOwner,
      ]) {
        const sum = (pick: (line: (typeof costs)["total"]) => number | null) =>
          Object.values(lines).reduce((all, line) => all + (pick(line) ?? 0), 0);
        expect(sum((line) => line.calls)).toBe(costs.total.calls);
        expect(sum((line) => line.totalCost)).toBeCloseTo(costs.total.totalCost ?? 0, 6);
        expect(sum((line) => line.computeMs)).toBeCloseTo(costs.total.computeMs, 6);
      }
    }),
  );
});

test("bad prices, zones and records are refused", () => {
  const refused = (prices: Prices) =>
    expect(() => costsOf([], prices)).toThrow(expect.objectContaining({ code: "OPTION_INVALID" }));
  refused({ models: { a: { inputPer1k: -1, outputPer1k: 1 } } });
  refused({ hosted: { a: { inputPer1k: Number.NaN, outputPer1k: 1 } } });
  refused({ models: { a: { inputPer1k: 1 } as never } });
  refused({ electricity: { watts: -5, perKilowattHour: 1 } });
  refused({ computePerHour: Number.POSITIVE_INFINITY });
  refused({ timeZone: "Mars/Olympus" });
  expect(costsOf([request({ totalMs: -1 })]).refused.records).toBe(1);
  expect(costsOf([request()], {}, START - HOUR).refused.reasons).toEqual({ "at is in the future": 1 });
});

import fc from "fast-check";
import { expect, test } from "vitest";
import { quantile, Series } from "../../../src/server/dashboard/page/series.js";
import { finishedCall } from "./calls.js";

const endedAt = (ms: number, facts = {}) =>
  finishedCall({ startedAt: new Date(ms - 100).toISOString(), durationMs: 100, ...facts });

test("a quantile is at most 2.5 % off the one of the sorted values", () => {
  const times = fc.array(fc.double({ min: 0.1, max: 1e6, noNaN: true }), { minLength: 1 });
  fc.assert(
    fc.property(times, fc.constantFrom(0.5, 0.9, 0.99), (durations, share) => {
      const series = new Series();
      for (const durationMs of durations)
        series.add(finishedCall({ startedAt: new Date(1e9 - durationMs).toISOString(), durationMs }));
      const sorted = durations.toSorted((a, b) => a - b);
      const exact = sorted[Math.ceil(share * sorted.length) - 1]!;
      const found = quantile(series.total(3_600_000, 1e9).duration, share)!;
      expect(Math.abs(found - exact) / exact).toBeLessThan(0.0251);
    }),
  );
});

test("each call of a span is in one point, and points end where the last one is under way", () => {
  const now = 1_000_000_000_000 + 3_000;
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 280_000 })),
      fc.constantFrom(5_000, 15_000),
      (ages, stepMs) => {
        const series = new Series();
        for (const age of ages) series.add(endedAt(now - age));
        const points = series.points(300_000, stepMs, now);
        expect(points).toHaveLength(300_000 / stepMs);
        expect(points.reduce((sum, { calls }) => sum + calls, 0)).toBe(ages.length);
        expect(points.at(-1)!.at).toBeGreaterThan(now);
        expect(points.at(-1)!.at - now).toBeLessThanOrEqual(stepMs);
      },
    ),
  );
});

test("what calls cost adds up, and only loads that happened cost", () => {
  const series = new Series();
  series.add(
    endedAt(10_000, { promptTokens: 7, cachedTokens: 3, outputTokens: 2, loadMs: 40, reloaded: false }),
  );
  series.add(
    endedAt(11_000, {
      promptTokens: null,
      outputTokens: null,
      loadMs: 900,
      reloaded: true,
      errorCode: "SERVER_BUSY",
    }),
  );

  expect(series.total(60_000, 12_000)).toMatchObject({
    calls: 2,
    errors: 1,
    reloads: 1,
    loadMs: 900,
    callMs: 200,
    promptTokens: 7,
    cachedTokens: 3,
    outputTokens: 2,
  });
});

test("the prompt of a call that failed was counted by no server: it counts as little as in /metrics", () => {
  const series = new Series();
  series.add(endedAt(10_000, { promptTokens: 7, cachedTokens: 7 }));
  series.add(endedAt(10_000, { promptTokens: 9_000, errorCode: "ABORTED", status: 499 }));

  expect(series.total(60_000, 12_000)).toMatchObject({ promptTokens: 7, cachedTokens: 7 });
});

test("what is older than an hour is forgotten", () => {
  const series = new Series();
  series.add(endedAt(0));
  series.add(endedAt(4_000_000));

  expect(series.total(1e9, 4_000_000).calls).toBe(1);
});

test("nothing measured has no quantile", () => {
  const series = new Series();
  series.add(endedAt(1_000, { timeToFirstTokenMs: null }));

  expect(quantile(series.total(60_000, 1_000).firstToken, 0.5)).toBeNull();
});

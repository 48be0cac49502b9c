import { describe, expect, test } from "vitest";
import { trendOf } from "../../src/analysis/trend.js";
import { request, START, traffic } from "./traffic.js";

const now = START + 365 * 86_400_000;
const SEEDS = Array.from({ length: 60 }, (_, index) => index + 1);

describe("a trend", () => {
  test.each([
    ["degrading", 1.2],
    ["improving", 0.8],
  ])("is %s when recent calls take %d of the time", (verdict, factor) => {
    const right = SEEDS.filter((seed) => {
      const calls = traffic({ seed, calls: 800, sigma: 0.3, factor: (index) => (index < 600 ? 1 : factor) });
      const { overall } = trendOf(calls, { now });
      return overall.enough && overall.verdict === verdict && overall.p < 0.01;
    });
    expect(right.length / SEEDS.length).toBeGreaterThan(0.95);
  });

  test("is stable when nothing changes: chance makes a verdict in at most 3 of 100 logs", () => {
    const wrong = SEEDS.filter((seed) => {
      const { overall } = trendOf(traffic({ seed, calls: 800, sigma: 0.3 }), { now });
      return !overall.enough || overall.verdict !== "stable";
    });
    expect(wrong.length / SEEDS.length).toBeLessThanOrEqual(0.03);
  });

  test("tells sizes, times and the change a day", () => {
    const calls = traffic({
      seed: 1,
      calls: 1000,
      sigma: 0.1,
      everyMs: 864_000,
      factor: (index) => 1.05 ** (index / 100),
    });
    const { overall, groups } = trendOf(calls, { now, recentMs: now - Date.parse(calls[700]!.at) });
    expect(overall).toMatchObject({
      enough: true,
      verdict: "degrading",
      recentCalls: 300,
      historyCalls: 700,
    });
    if (!overall.enough) return;
    expect(overall.changePerDay).toBeCloseTo(0.05, 2);
    expect(overall.ratio).toBeCloseTo(1.05 ** 5, 1);
    expect(groups).toHaveLength(1);
  });

  test("of less than a day has no change a day", () => {
    const factor = (index: number) => 1 + index / 1000;
    const minutes = trendOf(traffic({ seed: 1, calls: 200, sigma: 0.3, everyMs: 600, factor }), {
      now,
    }).overall;
    expect(minutes).toMatchObject({ enough: true, changePerDay: null });
  });

  test("is not another mixture of calls: more slow ones than before make no template slower", () => {
    const calls = traffic({
      seed: 4,
      calls: 1200,
      sigma: 0.2,
      factor: (index) => (index % (index < 900 ? 6 : 2) === 0 ? 20 : 1),
      fields: (index) => ({ templateId: index % (index < 900 ? 6 : 2) === 0 ? "long" : "short" }),
    });
    const recentMs = now - Date.parse(calls[900]!.at);
    expect(trendOf(calls, { now, recentMs }).overall).toMatchObject({ verdict: "stable" });
  });

  test("of the time per token does not see longer replies, that of the response does", () => {
    const calls = traffic({
      seed: 2,
      calls: 800,
      sigma: 0.2,
      fields: (index) => {
        const outputTokens = (index < 600 ? 100 : 200) + (index % 7);
        return { outputTokens, outputMs: 10 * outputTokens, totalMs: 10 * outputTokens + 50 };
      },
    });
    expect(trendOf(calls, { now }).overall).toMatchObject({ verdict: "degrading" });
    expect(trendOf(calls, { now, metric: "msPerToken" }).overall).toMatchObject({ verdict: "stable" });
  });
});

test("too few calls on either side are said, not reckoned with", () => {
  const { overall, groups } = trendOf(traffic({ seed: 1, calls: 30, sigma: 0.3 }), { now });
  expect(overall).toEqual({ enough: false, have: 8, need: 20, text: "not enough data (8 of 20)" });
  expect(groups[0]?.trend.enough).toBe(false);
  expect(trendOf([], { now }).overall).toMatchObject({ enough: false, have: 0 });
});

test("bad options and records are refused", () => {
  expect(() => trendOf([], { now: Number.NaN })).toThrow(expect.objectContaining({ code: "OPTION_INVALID" }));
  expect(() => trendOf([], { now, metric: "speed" as never })).toThrow("metric is");
  expect(trendOf([request({ totalMs: Number.NaN })], { now }).refused.records).toBe(1);
});

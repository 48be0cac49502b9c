import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { TrendResult } from "../../src/analysis/types.js";
import { DEFAULT_LIMITS, proposeSteps, type Situation } from "../../src/autopilot/propose.js";
import { dial, NOW, step, WELL } from "./support.js";

const ALL = () => [
  dial("cacheTtl", 3_600),
  dial("concurrency", 8),
  dial("keepAlive", 300),
  dial("window", 32_768),
  dial("batch", 512),
];

function situation(
  fields: Partial<Situation> = {},
  measured: Partial<Situation["measured"]> = {},
): Situation {
  return {
    now: NOW,
    measured: { ...WELL, ...measured },
    cacheHasRoom: true,
    trend: null,
    dials: ALL(),
    canRelease: true,
    canRetune: true,
    history: [],
    ...fields,
  };
}

const SLOWER: TrendResult = {
  verdict: "degrading",
  ratio: 1.5,
  p: 0.0001,
  confidence: 0.9999,
  recentMs: 1_500,
  historyMs: 1_000,
  recentCalls: 100,
  historyCalls: 300,
  changePerDay: 0.5,
};

const types = (s: Situation) => proposeSteps(s).map(({ type, to }) => [type, to]);

test("nothing is proposed while nothing is the matter", () => {
  expect(proposeSteps(situation())).toEqual([]);
});

describe("what the figures call for", () => {
  test("few hits: replies live twice as long, up to a day", () => {
    expect(types(situation({}, { hitRate: 0.1 }))).toEqual([["cacheTtl", 7_200]]);
    expect(types(situation({ dials: [dial("cacheTtl", 3_600, 86_400)] }, { hitRate: 0.1 }))).toEqual([]);
  });

  test("few hits in a full cache: a longer life would help nobody", () => {
    expect(types(situation({ cacheHasRoom: false }, { hitRate: 0.1 }))).toEqual([]);
  });

  test("memory is full: caches are released, then the next load's window is smaller, then its batch", () => {
    const done = step({ type: "release", target: "", to: null, goal: "memory", state: "done" });
    const small = [dial("window", 4_096), dial("batch", 512)];

    expect(types(situation({}, { memory: 95 }))).toEqual([["release", null]]);
    expect(types(situation({ history: [done] }, { memory: 95 }))).toEqual([["window", 16_384]]);
    expect(types(situation({ history: [done], dials: small }, { memory: 95 }))).toEqual([["batch", 256]]);
  });

  test("a busy CPU: three quarters of the calls at once, never fewer than one", () => {
    expect(types(situation({}, { cpu: 97 }))).toEqual([["concurrency", 6]]);
    expect(types(situation({ dials: [dial("concurrency", 8, 1)] }, { cpu: 97 }))).toEqual([]);
  });

  test("an easy CPU: a throttle that was kept is loosened", () => {
    const throttle = step({ type: "concurrency", goal: "cpu", from: 8, to: 6, state: "kept" });
    const dials = [dial("concurrency", 8, 6)];

    expect(types(situation({ history: [throttle], dials }, { cpu: 30 }))).toEqual([["concurrency", 8]]);
    expect(types(situation({ history: [throttle], dials }, { cpu: 80 }))).toEqual([]);
  });

  test("calls that load the model first: models stay loaded longer, unless memory is full", () => {
    expect(types(situation({}, { reloads: 0.2 }))).toEqual([["keepAlive", 600]]);
    expect(
      types(situation({ canRelease: false, dials: [dial("keepAlive", 300)] }, { reloads: 0.2, memory: 95 })),
    ).toEqual([]);
  });

  test("calls become slower: the latest step that was kept is taken back, else it is tuned anew", () => {
    const kept = step({ state: "kept" });

    expect(
      types(situation({ trend: SLOWER, history: [kept], dials: [dial("cacheTtl", 3_600, 7_200)] })),
    ).toEqual([["cacheTtl", null]]);
    expect(types(situation({ trend: SLOWER }))).toEqual([["retune", null]]);
    expect(types(situation({ trend: { ...SLOWER, p: 0.2 } }))).toEqual([]);
  });
});

test("every proposal says why, and what it is to bring", () => {
  const proposals = proposeSteps(situation({ trend: SLOWER }, { hitRate: 0.1, memory: 95, cpu: 97 }));

  expect(proposals.map(({ goal }) => goal)).toEqual(["memory", "cpu", "hitRate", "response"]);
  for (const { action, reason, expected } of proposals) {
    expect(action).not.toBe("");
    expect(reason).toMatch(/\d/);
    expect(expected).not.toBe("");
  }
});

describe("what happened before", () => {
  test("while a step is watched, no other for its goal is taken", () => {
    expect(types(situation({ history: [step()] }, { hitRate: 0.1 }))).toEqual([]);
    expect(types(situation({ history: [step()] }, { cpu: 97 }))).toEqual([["concurrency", 6]]);
  });

  test("what was taken back is not tried again for a week", () => {
    const days = (count: number) => new Date(NOW - count * 86_400_000).toISOString();
    const reverted = (at: string) => step({ state: "reverted", at });

    expect(types(situation({ history: [reverted(days(6))] }, { hitRate: 0.1 }))).toEqual([]);
    expect(types(situation({ history: [reverted(days(8))] }, { hitRate: 0.1 }))).toHaveLength(1);
  });
});

test("few calls call for nothing, whatever they show", () => {
  const awful = { calls: 29, lookups: 29, hitRate: 0, memory: 100, cpu: 100, reloads: 1 };

  expect(proposeSteps(situation({}, awful))).toEqual([]);
});

test("whatever the figures: one step a goal at most, and no value beyond its limit", () => {
  const share = fc.double({ min: 0, max: 1, noNaN: true });
  const percent = fc.double({ min: 0, max: 100, noNaN: true });
  fc.assert(
    fc.property(
      share,
      percent,
      percent,
      share,
      fc.integer({ min: 1, max: 1e6 }),
      (hitRate, memory, cpu, reloads, set) => {
        const dials = ALL().map((each) => ({ ...each, value: set }));
        const proposals = proposeSteps(
          situation({ dials, trend: SLOWER }, { hitRate, memory, cpu, reloads }),
        );

        const goals = proposals.map(({ goal }) => goal);
        expect(new Set(goals).size).toBe(goals.length);
        for (const { type, to } of proposals) {
          if (type === "cacheTtl") expect(to).toBeLessThanOrEqual(DEFAULT_LIMITS.longestTtlSeconds);
          if (type === "keepAlive") expect(to).toBeLessThanOrEqual(DEFAULT_LIMITS.longestKeepAliveSeconds);
          if (type === "window") expect(to).toBeGreaterThanOrEqual(DEFAULT_LIMITS.smallestWindow);
          if (type === "batch") expect(to).toBeGreaterThanOrEqual(DEFAULT_LIMITS.smallestBatch);
          if (type === "concurrency") expect(to).toBeGreaterThanOrEqual(1);
        }
      },
    ),
  );
});

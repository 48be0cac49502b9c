import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  applyRules,
  decideRule,
  observeRule,
  proposeRule,
  wilsonLowerBound,
  worseByChance,
} from "../../src/optimizer/rules.js";
import type { RuleRecord } from "../../src/records.js";
import { seededRandom } from "./promptCorpus.js";

const AT = new Date("2026-01-01T00:00:00Z");
const LATER = new Date("2026-01-02T00:00:00Z");
const PROPOSAL = { templateId: "task-1", parameter: "numBatch", value: 256 };
const rule = (fields: Partial<RuleRecord> = {}): RuleRecord => ({
  ...proposeRule([], PROPOSAL, AT)!,
  ...fields,
});
const withCounts = (success: number, total: number, fields: Partial<RuleRecord> = {}) =>
  rule({ counts: { success, total }, ...fields });

/** What a store makes of an outcome. */
function learned(before: RuleRecord, success: boolean): RuleRecord {
  const { counts, ...fields } = observeRule(before, success, AT);
  return {
    ...before,
    ...fields,
    counts: {
      success: before.counts.success + counts!.success!,
      total: before.counts.total + counts!.total!,
    },
  };
}

describe("wilsonLowerBound", () => {
  it("equals published values", () => {
    // Newcombe 1998, Statistics in Medicine 17, table I: 81/263, 15/148, 0/20, 1/29 by the score method.
    const bounds = [
      [81, 263, 0.2553],
      [15, 148, 0.0624],
      [0, 20, 0],
      [1, 29, 0.0061],
    ] as const;
    for (const [success, total, expected] of bounds) {
      expect(wilsonLowerBound({ success, total })).toBeCloseTo(expected, 4);
    }
    expect(wilsonLowerBound({ success: 0, total: 0 })).toBe(0);
  });

  it("is below the rate and rises with evidence for it", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 1, max: 50 }), (success, failures) => {
        const total = success + failures;
        const bound = wilsonLowerBound({ success, total });
        expect(bound).toBeLessThan(success / total);
        expect(wilsonLowerBound({ success: 4 * success, total: 4 * total })).toBeGreaterThan(bound);
      }),
    );
  });
});

describe("worseByChance", () => {
  it("is Fisher's exact test, one-sided", () => {
    // The lady tasting tea (Fisher 1935): 3 of 4 right has p = 17/70, all wrong 1/70.
    expect(worseByChance({ success: 1, total: 4 }, { success: 3, total: 4 })).toBeCloseTo(17 / 70, 10);
    expect(worseByChance({ success: 0, total: 4 }, { success: 4, total: 4 })).toBeCloseTo(1 / 70, 10);
    // Binomial coefficients by hand: C(10,1) C(14,11) / C(24,12) + C(10,0) C(14,12) / C(24,12).
    expect(worseByChance({ success: 1, total: 10 }, { success: 11, total: 14 })).toBeCloseTo(
      (10 * 364 + 91) / 2_704_156,
      10,
    );
  });

  it("holds for large counts and is 1 without evidence", () => {
    expect(worseByChance({ success: 500, total: 1_000 }, { success: 50_000, total: 100_000 })).toBeCloseTo(
      0.5,
      1,
    );
    expect(worseByChance({ success: 400, total: 1_000 }, { success: 50_000, total: 100_000 })).toBeLessThan(
      1e-8,
    );
    expect(worseByChance({ success: 0, total: 0 }, { success: 5, total: 5 })).toBe(1);
    expect(worseByChance({ success: 0, total: 5 }, { success: 0, total: 0 })).toBe(1);
  });
});

describe("a rule", () => {
  it("starts on trial and is proposed only once, also after it was reverted", () => {
    const first = proposeRule([], PROPOSAL, AT)!;
    expect(first).toMatchObject({
      ...PROPOSAL,
      state: "trial",
      confidence: 0,
      counts: { success: 0, total: 0 },
    });
    expect(proposeRule([first], PROPOSAL, LATER)).toBeNull();
    expect(proposeRule([{ ...first, state: "reverted" }], PROPOSAL, LATER)).toBeNull();
    expect(proposeRule([first], { ...PROPOSAL, value: 512 }, LATER)).not.toBeNull();
    expect(proposeRule([first], { ...PROPOSAL, value: "256" }, LATER)).not.toBeNull();
  });

  it("counts outcomes as increments, with the confidence they give", () => {
    expect(observeRule(withCounts(9, 9), true, LATER)).toEqual({
      id: rule().id,
      updatedAt: LATER.toISOString(),
      confidence: wilsonLowerBound({ success: 10, total: 10 }),
      counts: { success: 1, total: 1 },
    });
    expect(observeRule(rule(), false, LATER).counts).toEqual({ success: 0, total: 1 });
  });

  it("becomes active after 16 outcomes that are not worse than the baseline", () => {
    const baseline = { success: 95, total: 100 };
    expect(decideRule(withCounts(8, 8), baseline, LATER)).toBeNull();
    expect(decideRule(withCounts(16, 16), baseline, LATER)?.state).toBe("active");
    expect(decideRule(withCounts(16, 16, { state: "active" }), baseline, LATER)).toBeNull();
  });

  it("is reverted when it is worse beyond chance, on trial or active, and stays so", () => {
    const baseline = { success: 95, total: 100 };
    for (const state of ["trial", "active"] as const) {
      expect(decideRule(withCounts(4, 16, { state }), baseline, LATER)?.state).toBe("reverted");
    }
    expect(decideRule(withCounts(4, 16, { state: "reverted" }), baseline, LATER)).toBeNull();
    expect(decideRule(withCounts(0, 8), baseline, LATER)?.state).toBe("reverted");
  });

  it("is not judged between looks", () => {
    for (const total of [0, 1, 7, 9, 15]) {
      expect(decideRule(withCounts(0, total), { success: 100, total: 100 }, LATER)).toBeNull();
    }
  });

  it("is rarely reverted by chance, however often it is judged, and soon when it is bad", () => {
    const random = seededRandom(1);
    const outcomesUntilReverted = (rate: number): number | null => {
      let current = rule();
      const baseline = { success: 900, total: 1_000 };
      for (let i = 1; i <= 400; i++) {
        current = learned(current, random() < rate);
        if (decideRule(current, baseline, AT)?.state === "reverted") return i;
      }
      return null;
    };
    const reverted = Array.from({ length: 400 }, () => outcomesUntilReverted(0.9)).filter((i) => i !== null);
    expect(reverted.length / 400).toBeLessThanOrEqual(0.05);
    const bad = Array.from({ length: 50 }, () => outcomesUntilReverted(0.5)).map((i) => i ?? 400);
    expect(bad.reduce((a, b) => a + b, 0) / 50).toBeLessThan(32);
  });
});

describe("applyRules", () => {
  const active = (parameter: string, value: RuleRecord["value"]) =>
    rule({ parameter, value, state: "active" });

  it("never lowers a window below the need", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2e5 }), fc.integer({ min: -10, max: 2e5 }), (need, value) => {
        const { numCtx } = applyRules({ numCtx: need }, [active("numCtx", value)], need);
        expect(numCtx).toBeGreaterThanOrEqual(need);
      }),
    );
    expect(applyRules({ numCtx: 8_192 }, [active("numCtx", 2_048)], 5_000).numCtx).toBe(5_000);
    expect(applyRules({ numCtx: 8_192 }, [active("numCtx", 16_384)], 5_000).numCtx).toBe(16_384);
  });

  it("only raises the output reserve, which is a part of the need", () => {
    expect(applyRules({ outputReserve: 500 }, [active("outputReserve", 100)], 5_000).outputReserve).toBe(500);
    expect(applyRules({ outputReserve: 500 }, [active("outputReserve", 900)], 5_000).outputReserve).toBe(900);
  });

  it("applies rules on trial and active ones, not reverted ones", () => {
    const parameters = { numBatch: 512 };
    for (const [state, expected] of [
      ["trial", 256],
      ["active", 256],
      ["reverted", 512],
    ] as const) {
      expect(applyRules(parameters, [rule({ state })], 100).numBatch).toBe(expected);
    }
    expect(parameters).toEqual({ numBatch: 512 });
  });

  it("leaves out unknown parameters and values of another type or without sense", () => {
    const parameters = { numBatch: 512 as number | null, think: true };
    const rules = [
      active("keepAlive", "1h"),
      active("numBatch", "many"),
      active("numBatch", 0),
      active("numBatch", Number.NaN),
      active("think", 1),
      active("__proto__", 1),
    ];
    expect(applyRules(parameters, rules, 100)).toEqual(parameters);
    expect(applyRules({ numBatch: null }, [active("numBatch", 128)], 100)).toEqual({ numBatch: 128 });
  });
});

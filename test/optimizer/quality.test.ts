import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { qualityFactors, type Reply, repetition, replyQuality } from "../../src/optimizer/quality.js";
import { PromptCorpus, seededRandom } from "./promptCorpus.js";

const GOOD: Reply = {
  text: "Paris is the capital of France.",
  toolCalls: 0,
  doneReason: "stop",
  hasUserLimit: false,
  expectsJson: false,
  outputTokens: 8,
};
const quality = (fields: Partial<Reply>) => replyQuality({ ...GOOD, ...fields });

describe("replyQuality", () => {
  it("is 1 for a reply with nothing against it", () => {
    expect(quality({})).toBe(1);
  });

  it("is 0 for an empty reply, unless it calls a tool", () => {
    expect(quality({ text: " \n" })).toBe(0);
    expect(quality({ text: "", toolCalls: 1 })).toBe(1);
  });

  it("halves for a reply that was cut, unless the caller set the limit", () => {
    expect(quality({ doneReason: "length" })).toBe(0.5);
    expect(quality({ doneReason: "length", hasUserLimit: true })).toBe(1);
  });

  it("falls to a fifth where JSON was expected and did not come", () => {
    expect(quality({ expectsJson: true })).toBe(0.2);
    expect(quality({ expectsJson: true, text: ' {"city": "Paris"} ' })).toBe(1);
    expect(quality({ expectsJson: true, text: "", toolCalls: 1 })).toBe(1);
    expect(quality({ expectsJson: true, text: '{"city": "Par', doneReason: "length" })).toBeCloseTo(0.1);
  });

  it("falls for a repetition loop and not for prose, tables or code", () => {
    const prose = new PromptCorpus(seededRandom(1)).prose(400).join(" ");
    expect(quality({ text: prose })).toBe(1);
    expect(quality({ text: `${prose} ${"I am sorry. ".repeat(400)}` })).toBeLessThan(0.5);
    expect(quality({ text: "a".repeat(20_000) })).toBeLessThan(0.05);
    const table = Array.from({ length: 60 }, (_, i) => `| row ${i} | ${i * i} | ${i % 7} |`).join("\n");
    expect(quality({ text: table })).toBe(1);
  });

  it("falls, at worst by half, for a length far from the template's norm", () => {
    const norm = { p50: 100, p99: 300 };
    for (const [outputTokens, expected] of [
      [100, 1],
      [600, 1],
      [900, 600 / 900],
      [5_000, 0.5],
      [13, 1],
      [10, 0.8],
      [1, 0.5],
    ] as const) {
      expect(quality({ norm, outputTokens }), String(outputTokens)).toBeCloseTo(expected, 9);
    }
    expect(quality({ norm, outputTokens: null })).toBe(1);
    expect(quality({ norm, outputTokens: 0 })).toBe(1);
  });

  it("is in [0, 1] and the product of its factors for any reply", () => {
    const reply: fc.Arbitrary<Reply> = fc.record({
      text: fc.string({ unit: "binary", maxLength: 400 }),
      toolCalls: fc.nat(2),
      doneReason: fc.constantFrom("stop", "length", null),
      hasUserLimit: fc.boolean(),
      expectsJson: fc.boolean(),
      outputTokens: fc.option(fc.nat(10_000)),
      norm: fc.record({ p50: fc.integer({ min: 1, max: 999 }), p99: fc.integer({ min: 1, max: 9_999 }) }),
    });
    fc.assert(
      fc.property(reply, (any) => {
        const factors = Object.values(qualityFactors(any));
        for (const factor of factors) expect(factor >= 0 && factor <= 1).toBe(true);
        expect(replyQuality(any)).toBeCloseTo(factors.reduce((a, b) => a * b, 1));
      }),
    );
  });
});

describe("repetition", () => {
  it("is the share of six-token runs that were there before", () => {
    expect(repetition("no ".repeat(100))).toBeCloseTo(94 / 95);
    expect(repetition("no ".repeat(20))).toBe(0);
  });

  it("looks at the end, where a loop shows", () => {
    const prose = new PromptCorpus(seededRandom(2)).prose(6_000).join(" ");
    expect(repetition(`${prose} ${"again and again ".repeat(1_500)}`)).toBeGreaterThan(0.9);
  });
});

import { describe, expect, it } from "vitest";
import { fingerprintPrompt, type PromptHead } from "../../src/optimizer/fingerprint.js";
import { type CallStatistics, TemplateIndex } from "../../src/optimizer/templates.js";
import { PromptCorpus, seededRandom } from "./promptCorpus.js";

const DIGEST = "sha256:0123456789abcdef";
const CALL: CallStatistics = {
  promptTokens: 200,
  outputTokens: 50,
  totalMs: 900,
  censored: false,
  error: null,
};

const index = (options: object = {}) => new TemplateIndex({ modelDigest: DIGEST, ...options });
const user = (content: string): PromptHead => fingerprintPrompt([{ role: "user", content }]);
const corpusOf = (seed: number): PromptCorpus => new PromptCorpus(seededRandom(seed));

describe("TemplateIndex with 10,000 templates", () => {
  const corpus = corpusOf(100);
  const templates = index({ limit: 20_000 });
  const shapes = [3, 5, 10].flatMap((words) => [5, 20, 50, 80].map((at) => ({ words, at })));
  const fills = Array.from({ length: 10_000 }, (_, i) => corpus.template(120, shapes[i % shapes.length]!));
  const ids = fills.map((fill) => templates.observe(user(fill()), null, CALL, new Date(0)).id);

  it("finds at least 95 % of prompts again, wherever the slot and whether of 3, 5 or 10 words", () => {
    expect(new Set(ids).size).toBeGreaterThan(9_950);
    for (const [s, shape] of shapes.entries()) {
      let found = 0;
      for (let k = 0; k < 200; k++) {
        const i = s + shapes.length * corpus.below(800);
        if (templates.match(user(fills[i]!()))?.templateId === ids[i]) found++;
      }
      expect(found / 200, JSON.stringify(shape)).toBeGreaterThanOrEqual(0.95);
    }
  });

  it("matches at most 1 in 1,000 unrelated prompts, although they share stock phrases", () => {
    let falseMatches = 0;
    for (let i = 0; i < 4_000; i++) {
      if (templates.match(user(corpus.prose(120).join(" "))) !== null) falseMatches++;
    }
    expect(falseMatches).toBeLessThanOrEqual(4);
  });
});

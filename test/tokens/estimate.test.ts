import fc from "fast-check";
import { expect, test } from "vitest";
import { byteBound, byteBoundOf } from "../../src/tokens/byteBound.js";
import { estimateTokens } from "../../src/tokens/index.js";
import { countO200k } from "../../src/tokens/o200k.js";

const samples = {
  prose:
    "The window defaults to 4,096 tokens on small machines; a longer prompt is cut silently, without a word. ",
  code: "export function byteBound(text: string): number {\n  return Buffer.byteLength(text, 'utf8');\n}\n",
  JSON: '{"id": 1042, "name": "Anna", "tags": ["a", "b"], "score": 0.875}\n',
  Chinese: "默认的上下文窗口很小，较长的提示会被悄悄截断。",
  Russian: "Окно контекста по умолчанию слишком мало для длинных запросов. ",
};

test.each(Object.entries(samples))("%s is estimated within 35 % of o200k_base", (_, sample) => {
  const text = sample.repeat(20);
  const ratio = estimateTokens(text) / countO200k(text);
  expect(ratio).toBeGreaterThan(0.65);
  expect(ratio).toBeLessThan(1.35);
});

test("a long text is estimated from samples", () => {
  const text = samples.prose.repeat(20_000);
  const part = estimateTokens(samples.prose.repeat(200)) * 100;
  expect(estimateTokens(text) / part).toBeGreaterThan(0.98);
  expect(estimateTokens(text) / part).toBeLessThan(1.02);
});

test("o200k_base takes a run of 200,000 letters in less than a few seconds", () => {
  const started = performance.now();
  expect(countO200k("x".repeat(200_000))).toBeGreaterThan(10_000);
  expect(performance.now() - started).toBeLessThan(5_000);
});

test("an estimate is at least zero and at most the bytes for any text", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      expect(estimateTokens(text)).toBeGreaterThanOrEqual(0);
      expect(estimateTokens(text)).toBeLessThanOrEqual(byteBound(text));
    }),
  );
  expect(estimateTokens("")).toBe(0);
});

test("the byte bound is what the wire carries: lone surrogates are three bytes", () => {
  expect(byteBound("aé汉🙂\ud800")).toBe(1 + 2 + 3 + 4 + 3);
});

test("the byte bound of long texts is the same, slice by slice", async () => {
  const long = `${"汉🙂a".repeat(50_000)}\ud800`;
  expect(await byteBoundOf([long, "", "aé"])).toBe(byteBound(long) + 3);
});

import fc from "fast-check";
import { expect, test } from "vitest";
import { preTokenizer, type SplitStep, stepExpression } from "../../src/tokens/patterns.js";
import { splitter } from "../../src/tokens/splitter.js";

const split = (steps: readonly SplitStep[], text: string): string[] => {
  const pieces: string[] = [];
  splitter(steps)(text, (piece) => pieces.push(piece));
  return pieces;
};
const by = (name: string, text: string): string[] => split(preTokenizer(name)?.steps ?? [], text);

const names = [
  "default gpt-2 qwen2 qwen35 llama-bpe smollm tekken gpt-4o falcon deepseek-llm deepseek-coder deepseek-v3 afmoe",
  "tiny_aya youtu viking bloom jais-2 bailingmoe seed-coder laguna exaone-moe minicpm5 gemma4 command-r glm4",
]
  .join(" ")
  .split(" ");

test.each(names)("%s loses nothing of a text", (name) => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), (text) => {
      expect(by(name, text).join("")).toBe(text);
    }),
    { numRuns: 50 },
  );
});

// Expected pieces follow llama.cpp's patterns by hand.
test.each([
  ["qwen2", "It's 42\n\n  ok", ["It", "'s", " ", "4", "2", "\n\n", " ", " ok"]],
  ["llama-bpe", "x=12345;\n", ["x", "=", "123", "45", ";\n"]],
  ["smollm", "v12  3", ["v", "1", "2", "  ", "3"]],
  ["gpt-2", "we'LL  see", ["we", "'", "LL", " ", " see"]],
  ["tekken", "HelloWorld fooBAR", ["Hello", "World", " foo", "BAR"]],
  ["deepseek-v3", "汉字abc1234", ["汉字", "abc", "123", "4"]],
  ["afmoe", "n1234567", ["n", "1", "234", "567"]],
  ["gemma4", "a b\n\nc", ["a b", "\n\n", "c"]],
  ["bloom", "a, b.", ["a", ",", " b", "."]],
])("%s splits %j", (name, text, pieces) => {
  expect(by(name, text)).toEqual(pieces);
});

test("a number goes in threes from the right, with what stands before its first group", () => {
  expect(split(["digitGroups"], "ab1234cd567")).toEqual(["ab1", "234", "cd567"]);
});

test("white space is Unicode's: U+0085 is, U+FEFF is not", () => {
  expect(stepExpression("\\s", "u").test("\u0085")).toBe(true);
  expect(stepExpression("\\s", "u").test("\ufeff")).toBe(false);
});

test("an unknown pre-tokenizer is none", () => {
  expect(preTokenizer("superbpe")).toBeNull();
});

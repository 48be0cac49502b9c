import { expect, test } from "vitest";
import { readVocabulary, TokenType } from "../../src/tokens/vocabulary.js";
import { packVocabulary, unpackVocabulary } from "../../src/tokens/vocabularyFile.js";
import { show, vocabulary } from "./vocabularies.js";

test.each(["bytes", "scores"] as const)("a %s vocabulary survives its file", (kind) => {
  const own = vocabulary(kind);
  expect(unpackVocabulary(packVocabulary(own))).toEqual(own);
});

test("a damaged, cut or foreign file is no vocabulary", () => {
  const file = packVocabulary(vocabulary("bytes"));
  const flipped = Buffer.from(file);
  flipped[500] = (flipped[500] as number) ^ 1;
  for (const bytes of [
    flipped,
    file.subarray(0, -1),
    file.subarray(0, 40),
    Buffer.alloc(0),
    Buffer.from("{}"),
  ]) {
    expect(unpackVocabulary(bytes)).toBeNull();
  }
});

test.each([
  ["WordPiece", { model: "bert" }],
  ["Unigram", { model: "t5" }],
  ["an unknown pre-tokenizer", { pre: "of-tomorrow" }],
  ["missing merges", { merges: null }],
  ["missing tokens", { tokens: null }],
])("%s is unsupported", (_, more) => {
  expect(() => readVocabulary(show("bytes", more))).toThrow(
    expect.objectContaining({ code: "TOKENIZER_UNSUPPORTED" }),
  );
});

test.each([null, 1, {}, { model_info: null }])("%j is unsupported, not a crash", (reply) => {
  expect(() => readVocabulary(reply)).toThrow(expect.objectContaining({ code: "TOKENIZER_UNSUPPORTED" }));
});

test("what looks like an end of turn is a control token whatever its type says", () => {
  const { texts } = vocabulary("bytes");
  const own = vocabulary("bytes", { token_type: texts.map(() => TokenType.normal) });
  expect(own.types[texts.indexOf("<|im_end|>")]).toBe(TokenType.control);
  expect(own.types[texts.indexOf("<|im_start|>")]).toBe(TokenType.normal);
});

test("merges through texts that are no token keep those texts", () => {
  const own = readVocabulary({
    model_info: {
      "tokenizer.ggml.model": "gpt2",
      "tokenizer.ggml.tokens": ["a", "b", "c", "abc"],
      "tokenizer.ggml.merges": ["a b", "ab c"],
    },
  });
  expect(own.size).toBe(4);
  expect(own.texts[4]).toBe("ab");
  expect([...own.merges]).toEqual([0, 1, 4, 4, 2, 3]);
});

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { byteBound } from "../../src/tokens/byteBound.js";
import { Tokenizer } from "../../src/tokens/tokenizer.js";
import { readVocabulary } from "../../src/tokens/vocabulary.js";
import { wellFormed } from "../../src/tokens/wellFormed.js";
import { gpt2Show, tiktoken } from "./gpt2.js";
import { vocabulary } from "./vocabularies.js";

const gpt2 = new Tokenizer(readVocabulary(gpt2Show()));
const bytes = new Tokenizer(vocabulary("bytes"));
const scores = new Tokenizer(vocabulary("scores"));

/** Any UTF-16 units, lone surrogates among them, and what occurs in prompts. */
const anyText = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.string({ unit: "grapheme" }),
  fc
    .array(
      fc.constantFrom(
        ..." aehlo'sZ09\n\t.,!?é汉字🙂\ud83d\ude42\u0301ก<|im_end|>".split(""),
        "hello",
        "<|im_end|>",
      ),
      {
        maxLength: 60,
      },
    )
    .map((parts) => parts.join("")),
);

describe("with GPT-2's vocabulary", () => {
  test("ids are tiktoken's for any text", () => {
    fc.assert(
      fc.property(anyText, (text) => {
        expect([...gpt2.encode(text)]).toEqual([...tiktoken.encode(wellFormed(text), "all")]);
      }),
      { numRuns: 2_000 },
    );
  });

  test("a text longer than a block has tiktoken's count", () => {
    const sentence =
      "It's the 3rd time — naïve users' prompts (see §4.2) grow:\n\n  const a = [1, 22, 333];\n漢字を、少し。🙂 ";
    const text = Array.from({ length: 3_000 }, (_, index) => sentence + index).join("");
    expect(gpt2.count(text)).toBe(tiktoken.encode(text).length);
  });

  test("the same character 200,000 times takes less than a second", () => {
    const started = performance.now();
    for (const text of ["a", " ", "\n", "汉", "🙂", "!"])
      expect(gpt2.count(text.repeat(200_000))).toBeGreaterThan(0);
    expect(performance.now() - started).toBeLessThan(6_000);
  });
});

describe.each([
  ["byte-level", bytes],
  ["SentencePiece", scores],
  ["GPT-2", gpt2],
])("a %s tokenizer", (_, tokenizer) => {
  test("counts as many tokens as it makes, and never more than there are bytes", () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const count = tokenizer.count(text);
        expect(tokenizer.encode(text).length).toBe(count);
        // A space prefix may follow each control token of a SentencePiece vocabulary.
        expect(count).toBeLessThanOrEqual(
          byteBound(text) + (tokenizer === scores ? 1 + text.split("<").length : 0),
        );
      }),
    );
  });

  test("counts add up across control tokens", () => {
    const boundary = tokenizer.boundaries[0] as string;
    fc.assert(
      fc.property(anyText, anyText, (left, right) => {
        const whole = tokenizer.count(`${left}${boundary}${right}`);
        fc.pre(!/[\ud800-\udbff]$/.test(left));
        expect(whole).toBe(tokenizer.count(left + boundary) + tokenizer.count(right));
      }),
    );
  });

  test("makes nothing of nothing", () => {
    expect(tokenizer.count("")).toBe(0);
  });
});

test("words merge by rank, the leftmost first", () => {
  const texts = vocabulary("bytes").texts;
  const read = (text: string): string[] => Array.from(bytes.encode(text), (id) => texts[id] as string);
  expect(read(" hello")).toEqual(["Ġhello"]);
  expect(read("hellxo")).toEqual(["hell", "x", "o"]);
  expect(read("user")).toEqual(["user"]);
});

test("control and user-defined tokens are found in the text", () => {
  const { texts } = vocabulary("bytes");
  const ids = bytes.encode("<|im_start|>a<tool>");
  expect(Array.from(ids, (id) => texts[id])).toEqual(["<|im_start|>", "a", "<tool>"]);
});

test("SentencePiece puts a space before text, after control tokens too, and falls back to bytes", () => {
  const { texts } = vocabulary("scores");
  const read = (text: string): string[] => Array.from(scores.encode(text), (id) => texts[id] as string);
  expect(read("hello world")).toEqual(["▁hello", "▁world"]);
  expect(read("<s>hello</s>hello")).toEqual(["<s>", "▁hello", "</s>", "▁hello"]);
  expect(read("é")).toEqual(["▁", "<0xC3>", "<0xA9>"]);
});

test.each([
  ["byte-level", bytes],
  ["SentencePiece", scores],
  ["GPT-2", gpt2],
])(
  "a run of 100,000 characters costs a %s tokenizer at most a few tokens more than its parts",
  (_, tokenizer) => {
    const perThousand = tokenizer.count("l".repeat(1_000));
    expect(Math.abs(tokenizer.count("l".repeat(100_000)) - 100 * perThousand)).toBeLessThanOrEqual(100);
  },
);

test("add_space_prefix false is respected", () => {
  const plain = new Tokenizer(vocabulary("scores", { add_space_prefix: false }));
  expect(plain.count("hello")).toBe(1);
  expect(plain.count("hello")).toBe(scores.count("hello"));
  expect(plain.count("é")).toBe(scores.count("é") - 1);
});

test("a piece that is a token is taken whole only where the pre-tokenizer says so", () => {
  const tokens = (pre: string): number => {
    const { texts } = vocabulary("bytes");
    const own = vocabulary("bytes", {
      pre,
      tokens: [...texts, "xyz"],
      token_type: [...texts.map(() => 1), 1],
    });
    return new Tokenizer(own).count("xyz");
  };
  expect(tokens("qwen2")).toBe(3);
  expect(tokens("llama-bpe")).toBe(1);
});

test("bytes that a vocabulary lacks are dropped, as llama.cpp does", () => {
  const own = readVocabulary({
    model_info: {
      "tokenizer.ggml.model": "gpt2",
      "tokenizer.ggml.pre": "gpt-2",
      "tokenizer.ggml.tokens": ["a", "b"],
      "tokenizer.ggml.merges": [],
    },
  });
  expect(new Tokenizer(own).count("abéc")).toBe(2);
});

test("a vocabulary on characters escapes spaces, keeps newlines whole and falls back to bytes", () => {
  const tokens = ["▁", "a", "b", "ab", "▁ab", "\n\n", "<0xC3>", "<0xA9>", "<bos>"];
  const own = readVocabulary({
    model_info: {
      "tokenizer.ggml.model": "gemma4",
      "tokenizer.ggml.tokens": tokens,
      "tokenizer.ggml.merges": ["a b", "▁ ab"],
      "tokenizer.ggml.token_type": [1, 1, 1, 1, 1, 1, 6, 6, 3],
    },
  });
  const ids = new Tokenizer(own).encode("<bos>ab ab\n\né");
  expect(Array.from(ids, (id) => tokens[id])).toEqual(["<bos>", "ab", "▁ab", "\n\n", "<0xC3>", "<0xA9>"]);
});

test("Phi-3 strips white space behind its control tokens, and cuts nowhere", () => {
  const phi = new Tokenizer(
    readVocabulary({
      model_info: {
        "general.architecture": "phi3",
        ...(vocabularyKeys() as object),
      },
    }),
  );
  expect(phi.count("</s>  \nhello")).toBe(phi.count("</s>hello"));
  expect(phi.count("<s> \nhello")).not.toBe(phi.count("<s>hello"));
  expect(phi.boundaries).toEqual([]);
});

function vocabularyKeys(): unknown {
  const { texts, types, scores: given } = vocabulary("scores");
  return {
    "tokenizer.ggml.model": "llama",
    "tokenizer.ggml.tokens": texts,
    "tokenizer.ggml.scores": [...given],
    "tokenizer.ggml.token_type": [...types],
  };
}

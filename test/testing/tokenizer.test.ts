import fc from "fast-check";
import { Tiktoken } from "tiktoken";
import { afterAll, describe, expect, it } from "vitest";
import { byteToCharacter, characterToByte } from "../../src/testing/byteAlphabet.js";
import { bytePairTokenizer, startOllamaServer, tinyTokenizer } from "../../src/testing/index.js";
import { splitPatterns } from "../../src/testing/splitPatterns.js";
import { coarseTokenizer } from "../../src/testing/tokenizer.js";
import { ask, post } from "./call.js";

const texts = fc.oneof(
  fc.string({ unit: "grapheme", maxLength: 60 }),
  fc
    .array(
      fc.constantFrom("the", " water", "people", " it's", "\n\n", "  ", "12345", "日本", "😀", "{", '"a":'),
      { maxLength: 20 },
    )
    .map((list) => list.join("")),
);

describe.each(["qwen2", "gpt-2", "llama-bpe", "smollm"])("the tokenizer split as %s", (pre) => {
  const file = tinyTokenizer(pre);
  const own = bytePairTokenizer(file);
  // The same vocabulary in an independent implementation; it knows no control tokens here.
  const words = file.tokens.slice(0, -3);
  const ranks = words.map(
    (token, rank) =>
      `${Buffer.from([...token].map((c) => characterToByte.get(c)!)).toString("base64")} ${rank}`,
  );
  const other = new Tiktoken(ranks.join("\n"), {}, splitPatterns[pre]!.source);
  afterAll(() => other.free());

  it("makes the same tokens as tiktoken with the same vocabulary", () => {
    fc.assert(
      fc.property(texts, (text) => {
        expect(own.encode(text)).toEqual([...other.encode(text, [], [])]);
      }),
    );
  });

  it("spells any text by its pieces", () => {
    fc.assert(
      fc.property(texts, (text) => {
        const pieces = own.pieces(text);
        expect(pieces.map((piece) => piece.text).join("")).toBe(Buffer.from(text).toString());
        expect(pieces.reduce((sum, { tokens }) => sum + tokens, 0)).toBe(own.encode(text).length);
      }),
    );
  });
});

describe("the tiny tokenizer", () => {
  const tokenizer = bytePairTokenizer(tinyTokenizer());

  it("has a token for each byte, some words and three control tokens", () => {
    expect(new Set(byteToCharacter).size).toBe(256);
    expect(tinyTokenizer().tokens.length).toBeGreaterThan(380);
    expect(new Set(tinyTokenizer().tokens).size).toBe(tinyTokenizer().tokens.length);
  });

  it("counts control tokens in a text as one", () => {
    expect(tokenizer.encode("<|im_start|>")).toHaveLength(1);
    expect(tokenizer.encode("a<|im_end|>b")).toHaveLength(3);
  });

  it("adds the bos only to whole prompts", () => {
    expect(tokenizer.encodePrompt(" the")).toEqual([tinyTokenizer().bosTokenId, ...tokenizer.encode(" the")]);
    expect(bytePairTokenizer(tinyTokenizer("qwen2", false)).encodePrompt(" the")).toHaveLength(1);
  });

  it("stands 200,000 letters in a row", () => {
    expect(tokenizer.encode("e".repeat(200_000)).length).toBe(200_000);
  });

  it("is told by /api/show with verbose, and only then", async () => {
    const server = await startOllamaServer();
    const show = async (verbose: boolean): Promise<Record<string, unknown>> =>
      (await post(server, "/api/show", { model: "tiny", verbose })).lines[0]?.model_info as Record<
        string,
        unknown
      >;
    const file = tinyTokenizer();
    expect(await show(true)).toMatchObject({
      "tokenizer.ggml.model": "gpt2",
      "tokenizer.ggml.pre": "qwen2",
      "tokenizer.ggml.tokens": file.tokens,
      "tokenizer.ggml.merges": file.merges,
      "tokenizer.ggml.token_type": file.tokenTypes,
    });
    expect(await show(false)).toMatchObject({ "tokenizer.ggml.tokens": null, "tokenizer.ggml.merges": null });
    const prompt = "<|im_start|>user\nhi there<|im_end|>\n<|im_start|>assistant\n";
    expect((await ask(server, "hi there")).prompt_eval_count).toBe(tokenizer.encode(prompt).length + 1);
    await server.close();
  });
});

describe("the coarse tokenizer", () => {
  it("is a share of the bytes", () => {
    fc.assert(
      fc.property(texts, fc.double({ min: 1, max: 8, noNaN: true }), (text, bytesPerToken) => {
        const count = coarseTokenizer(bytesPerToken).encode(text).length;
        expect(count).toBe(Math.ceil(Buffer.byteLength(text) / bytesPerToken));
      }),
    );
  });

  it("gives texts with the same head the same first tokens", () => {
    const { encode } = coarseTokenizer(4);
    expect(encode("12345678x").slice(0, 2)).toEqual(encode("12345678y").slice(0, 2));
    expect(encode("12345678x")).not.toEqual(encode("12345678y"));
  });

  it("tells no vocabulary", async () => {
    const server = await startOllamaServer({ models: [{ name: "tiny", bytesPerToken: 3 }] });
    const { lines } = await post(server, "/api/show", { model: "tiny", verbose: true });
    expect(lines[0]?.model_info).not.toHaveProperty(["tokenizer.ggml.tokens"]);
    await server.close();
  });
});

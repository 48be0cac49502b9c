import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { hashTokens } from "../../src/optimizer/headTokens.js";

function tokens(text: string, limit = 64): number[] {
  const into = new Int32Array(limit);
  return [...into.subarray(0, hashTokens(text, into, 0))];
}

describe("hashTokens", () => {
  it("takes words whole and punctuation one by one", () => {
    const [hello, comma, world, mark] = tokens("Hello, world!");
    expect(tokens("Hello, world!")).toHaveLength(4);
    expect(tokens("world")).toEqual([world]);
    expect(tokens(",!")).toEqual([comma, mark]);
    expect(hello).not.toBe(world);
  });

  it("does not depend on the kind or number of spaces", () => {
    expect(tokens("a  b\n\tc\u00a0d\u3000e")).toEqual(tokens("a b c d e"));
  });

  it("keeps words of spaced scripts together and splits those without spaces by character", () => {
    for (const word of ["Grüße", "привет", "مرحبا", "नमस्ते", "안녕하세요", "snake_case", "x86"]) {
      expect(tokens(word), word).toHaveLength(1);
    }
    expect(tokens("你好世界")).toHaveLength(4);
    expect(tokens("カタ")).toHaveLength(2);
    expect(tokens("ไทย")).toHaveLength(3);
  });

  it("accepts any string, also half surrogate pairs, and stays within the limit", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: "binary", maxLength: 300 }),
        fc.integer({ min: 1, max: 40 }),
        (text, limit) => {
          expect(tokens(text, limit).length).toBeLessThanOrEqual(limit);
          expect(tokens(text, limit)).toEqual(tokens(text).slice(0, limit));
        },
      ),
    );
    expect(tokens("\ud800 \udfff")).toHaveLength(2);
  });

  it("cuts endless words into tokens", () => {
    expect(tokens("a".repeat(200_000))).toHaveLength(64);
    expect(tokens("a".repeat(100))).toHaveLength(4);
  });

  it("continues behind what is there", () => {
    const into = new Int32Array(8);
    const first = hashTokens("one two", into, 0);
    expect(hashTokens("three", into, first)).toBe(3);
    expect([...into.subarray(0, 3)]).toEqual(tokens("one two three"));
  });

  it("stops after a bounded number of characters, also of nothing but spaces", () => {
    expect(tokens(`${" ".repeat(10_000_000)}word`)).toEqual([]);
  });
});

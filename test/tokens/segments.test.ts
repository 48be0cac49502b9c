import fc from "fast-check";
import { expect, test } from "vitest";
import { segmentsOf } from "../../src/tokens/segments.js";
import { SLICE, slicesOf } from "../../src/tokens/slices.js";

const boundary = { expression: /<end>|<\|x\|>/g, longest: 5 };
const textsOf = (prompt: readonly string[]): string[] =>
  [...segmentsOf(prompt, boundary)].flatMap((segment) => (segment === null ? [] : [segment.pieces.join("")]));

test("a segment ends with its boundary, wherever the prompt is cut into pieces", () => {
  const piece = fc.string({ unit: fc.constantFrom(..."<end>|xab"), maxLength: 8 });
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 10 }), (pieces) => {
      const segments = textsOf(pieces);
      expect(segments.join("")).toBe(pieces.join(""));
      expect(segments).toEqual(textsOf([pieces.join("")]));
      for (const segment of segments.slice(0, -1)) expect(segment).toMatch(/(<end>|<\|x\|>)$/);
    }),
  );
});

test("a boundary across two slices is found, and others get in between them", () => {
  const prompt = `${"a".repeat(SLICE - 2)}<end>${"b".repeat(SLICE)}<end>c`;
  expect(textsOf([prompt]).map(({ length }) => length)).toEqual([SLICE + 3, SLICE + 5, 1]);
  expect([...segmentsOf([prompt], boundary)].filter((segment) => segment === null)).toHaveLength(2);
  expect([...segmentsOf([prompt], null)].filter(Boolean)).toMatchObject([{ length: prompt.length }]);
});

test("two prompts at the same time do not disturb each other", () => {
  const one = segmentsOf(["a<end>b<end>c"], boundary);
  expect(one.next().value?.pieces).toEqual(["a<end>"]);
  expect(textsOf(["xxxxxxxxxxxxxxxxx<end>"])).toEqual(["xxxxxxxxxxxxxxxxx<end>"]);
  expect(one.next().value?.pieces).toEqual(["b<end>"]);
});

test("equal texts have equal keys, however they are cut", () => {
  const [whole] = [...segmentsOf(["hello"], null)];
  const [cut] = [...segmentsOf(["he", "", "llo"], null)];
  expect(cut?.key).toBe(whole?.key);
});

test("slices make up the text and cut no surrogate pair", () => {
  const text = `a${"\u{1f642}".repeat(SLICE)}`;
  const slices = [...slicesOf(text)];
  expect(slices.join("")).toBe(text);
  for (const slice of slices) {
    expect(slice.length).toBeLessThanOrEqual(SLICE);
    expect(Buffer.from(slice).toString()).toBe(slice);
  }
  expect([...slicesOf("")]).toEqual([]);
});

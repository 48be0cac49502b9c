import fc from "fast-check";
import { expect, test } from "vitest";
import { hashText, SegmentMemo } from "../../src/tokens/segmentMemo.js";

test("the least recently used count is forgotten first", () => {
  const memo = new SegmentMemo(2);
  memo.set(1, 10);
  memo.set(2, 20);
  memo.get(1);
  memo.set(3, 30);
  expect([memo.get(1), memo.get(2), memo.get(3)]).toEqual([10, undefined, 30]);
});

test("texts that differ in one place hash differently", () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1 }), fc.nat(), (text, at) => {
      const index = at % text.length;
      const unit = String.fromCharCode(text.charCodeAt(index) ^ 1);
      expect(hashText(text.slice(0, index) + unit + text.slice(index + 1))).not.toBe(hashText(text));
      expect(Number.isSafeInteger(hashText(text))).toBe(true);
    }),
  );
});

test("100,000 short texts do not collide", () => {
  const hashes = new Set(Array.from({ length: 100_000 }, (_, index) => hashText(`message ${index}`)));
  expect(hashes.size).toBe(100_000);
});

import fc from "fast-check";
import { expect, test } from "vitest";
import { wellFormed } from "../../src/tokens/wellFormed.js";

const anyText = fc
  .string({ unit: "binary" })
  .chain((text) => fc.constantFrom("\ud800", "\udfff", "\ud83d", "").map((lone) => text + lone + text));

test("is the text that UTF-8 carries", () => {
  fc.assert(
    fc.property(anyText, (text) => {
      expect(wellFormed(text)).toBe(Buffer.from(text, "utf8").toString("utf8"));
    }),
  );
});

test("leaves pairs alone and replaces each lone half", () => {
  expect(wellFormed("a\ud800\ud83d\ude00\udfffb")).toBe("a\ufffd\ud83d\ude00\ufffdb");
});

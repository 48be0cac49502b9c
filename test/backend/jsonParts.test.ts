import fc from "fast-check";
import { expect, test } from "vitest";
import { jsonParts } from "../../src/backend/jsonParts.js";

const joined = (parts: string | readonly Uint8Array[]): string =>
  typeof parts === "string" ? parts : Buffer.concat(parts).toString();

test("a short request is its JSON", async () => {
  await fc.assert(
    fc.asyncProperty(fc.jsonValue(), async (value) => {
      expect(await jsonParts(value)).toBe(JSON.stringify(value));
    }),
  );
});

test("a long request is the same JSON in parts", async () => {
  const long = `"quoted" \n\u2028 é 汉 \u{1f642} \ud800 `.repeat(9_000);
  const body = {
    model: "tiny",
    nothing: undefined,
    messages: [
      { role: "user", content: long, images: [] },
      undefined,
      null,
      { role: "assistant", content: "" },
    ],
    options: { num_ctx: 4096, stop: ["a", long] },
    many: Array.from({ length: 3_000 }, (_, index) => ({ text: "x".repeat(100), index })),
  };
  const parts = await jsonParts(body);
  expect(parts).not.toBeTypeOf("string");
  expect(JSON.parse(joined(parts))).toEqual(JSON.parse(JSON.stringify(body)));
  expect(Math.max(...(parts as Uint8Array[]).map(({ length }) => length))).toBeLessThan(1_000_000);
});

test("a surrogate pair between two slices arrives whole", async () => {
  const text = `${"a".repeat(65_535)}\u{1f642}${"b".repeat(100_000)}`;
  expect(JSON.parse(joined(await jsonParts(text)))).toBe(text);
});

test("others get their turn while a long request is written", async () => {
  let turns = 0;
  const count = (): void => {
    turns++;
    handle = setImmediate(count);
  };
  let handle = setImmediate(count);
  await jsonParts({ prompt: "x".repeat(2_000_000) });
  clearImmediate(handle);
  expect(turns).toBeGreaterThan(20);
});

import fc from "fast-check";
import { expect, test } from "vitest";
import { linesOf } from "../../src/backend/lines.js";

async function* parts(bytes: Uint8Array, sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  let at = 0;
  for (const size of sizes) {
    yield bytes.subarray(at, at + size);
    at += size;
  }
  yield bytes.subarray(at);
}

test("lines come out whole, however the bytes are split, also inside a character", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.string({ unit: "grapheme", minLength: 1 }).map((text) => JSON.stringify(text))),
      fc.array(fc.nat({ max: 7 })),
      fc.boolean(),
      async (lines, sizes, hasLastBreak) => {
        const text = lines.join("\n") + (hasLastBreak ? "\n" : "");
        const seen: string[] = [];
        for await (const line of linesOf(parts(new TextEncoder().encode(text), sizes))) seen.push(line);
        expect(seen).toEqual(lines);
      },
    ),
  );
});

/** Runs the examples of docstrings; CONTRIBUTING.md says how they are written. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { examplesOf, freeNames, hasClaim, run } from "./docstringExamples.js";

const src = join(import.meta.dirname, "..", "src");

const files = readdirSync(src, { recursive: true, encoding: "utf8" })
  .filter((path) => path.endsWith(".ts"))
  .sort()
  .map((path) => {
    const text = readFileSync(join(src, path), "utf8");
    const exported = [...text.matchAll(/^export (?:async )?(?:const|function\*?|class) (\w+)/gm)];
    return { path, text, exported: exported.map((match) => match[1]!) };
  });

/** The file of the same folder that exports a name, the example's own first. */
function exporterOf(name: string, path: string): string | undefined {
  const neighbours = files.filter((file) => dirname(file.path) === dirname(path));
  const found = neighbours.filter((file) => file.exported.includes(name)).map((file) => file.path);
  return found.includes(path) ? path : found[0];
}

const examples = files.flatMap(({ path, text }) =>
  examplesOf(text)
    .filter(hasClaim)
    .map((example) => {
      const names = freeNames(example).map((name) => ({ name, from: exporterOf(name, path) }));
      return { path, example, names, first: example.split("\n", 1)[0] };
    })
    // With names from elsewhere (a server, a message) it shows how something is used. A call of which no name is
    // known is run all the same, and fails: what it showed has gone or was renamed.
    .filter(
      ({ example, names }) =>
        names.every(({ from }) => from) || (/^\w+\(/.test(example) && !names.some(({ from }) => from)),
    ),
);

test.each(examples)("$path: $first", async ({ example, names }) => {
  const scope: Record<string, unknown> = {};
  for (const { name, from } of names) if (from) scope[name] = (await import(join(src, from)))[name];
  await run(example, scope);
});

describe("what is held against an example", () => {
  const scope = { half: (n: number) => n / 2 };

  test("a value behind a statement, of one line or several, or behind a declaration", async () => {
    await run(
      "half(6) // 3\nconst x: number = half(5); // 2.5\nhalf(1) // is less\nhalf(\n  8,\n)\n// 4",
      scope,
    );
    await expect(run("half(6) // 4", scope)).rejects.toThrow("expected 3 to deeply equal 4");
    await expect(run("half(\n  6,\n) // 4", scope)).rejects.toThrow("expected 3 to deeply equal 4");
    await expect(run("const x = half(6); // 4", scope)).rejects.toThrow("expected 3 to deeply equal 4");
  });

  test("a number as far as its decimals go", async () => {
    await run("half(1.234567) // 0.617", scope);
    await expect(run("half(1.234567) // 0.618", scope)).rejects.toThrow("0.618");
  });

  test("a name that is not there, and a value with prose behind it", async () => {
    await expect(run("double(6) // 12", scope)).rejects.toThrow("double is not defined");
    await expect(run("half(6) // 3 of them", scope)).rejects.toThrow("a value alone");
  });
});

test("examples are found in docstrings, one or several, of one line or more", () => {
  const text = `
/** @example f(1) // 2 */
/**
 * Prose.
 * @example
 * const a = 1;
 * f(a) // "b"
 * @example g() // [1, 2]
 * @returns nothing
 */`;

  expect(examplesOf(text)).toEqual(["f(1) // 2", 'const a = 1;\nf(a) // "b"', "g() // [1, 2]"]);
});

test("free names are those that are used, not declared, and not fields", () => {
  const example = "const { a: b } = f({ c: d }); g.h((i: Type) => i + b, Math.max(1))";

  expect(freeNames(example)).toEqual(["f", "d", "g"]);
});

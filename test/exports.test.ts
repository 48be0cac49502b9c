/**
 * The manifest's `exports` against the sources. The build keeps every file where it lies (`tsdown.config.ts`), so
 * `dist/x.js` is `src/x.ts`; `scripts/checkPackage.mjs` looks at the built and packed files themselves.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import ts from "typescript";
import { expect, test } from "vitest";

const root = join(import.meta.dirname, "..");
const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const entries = Object.entries<{ types: string; default: string }>(manifest.exports).filter(
  ([name]) => name !== "./package.json",
);
const sourceOf = (built: string): string => built.replace("./dist/", "src/").replace(/\.js$/, ".ts");

/** Loaded by its address, not by an import. */
const workersOf = (text: string): string[] =>
  [...text.matchAll(/new URL\(\s*"(\.[^"]+)",\s*import\.meta\.url/g)].map((match) => match[1]!);

test("every subpath has a source, with types beside the code", () => {
  expect(entries.length).toBeGreaterThan(0);
  for (const [name, { types, default: code }] of entries) {
    expect(existsSync(join(root, sourceOf(code))), `${name}: ${code}`).toBe(true);
    expect(types, name).toBe(code.replace(/\.js$/, ".d.ts"));
  }
});

test("subpaths are flat names that do not repeat the layout", () => {
  for (const [name] of entries) expect(name).toMatch(/^\.(\/[a-z]+){0,2}$/);
});

/** Run as a command or by a script of the manifest rather than imported. */
const programs = [
  ...Object.values<string>(manifest.bin).map((path) => `./${path}`),
  ...Object.values<string>(manifest.scripts).flatMap((script) =>
    [...script.matchAll(/node (dist\/\S+\.js)/g)].map((match) => `./${match[1]}`),
  ),
];

test("every source is reached from a subpath or a script: nothing is shipped that nobody can use", () => {
  const reached = new Set<string>();
  const follow = (path: string): void => {
    if (reached.has(path) || !existsSync(join(root, path))) return;
    reached.add(path);
    const text = readFileSync(join(root, path), "utf8");
    const imported = ts.preProcessFile(text).importedFiles.map((file) => file.fileName);
    for (const specifier of [...imported, ...workersOf(text)]) {
      if (specifier.startsWith(".")) follow(sourceOf(posix.join(dirname(path), specifier)));
    }
  };
  for (const code of [...entries.map(([, entry]) => entry.default), ...programs]) follow(sourceOf(code));

  const sources = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ts"))
    .map((path) => `src/${path}`);
  expect(sources.filter((path) => !reached.has(path))).toEqual([]);
});

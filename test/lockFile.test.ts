import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

interface Locked {
  readonly version?: string;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}
const lock = JSON.parse(readFileSync(join(import.meta.dirname, "../package-lock.json"), "utf8"));
const packages: Readonly<Record<string, Locked>> = lock.packages;

/** Where Node looks for a dependency of the package at `path`: beside it, then further up. */
function places(path: string, name: string): string[] {
  const parents = path === "" ? [""] : [path, ...parentsOf(path)];
  return parents.map((parent) => `${parent === "" ? "" : `${parent}/`}node_modules/${name}`);
}

function parentsOf(path: string): string[] {
  const at = path.lastIndexOf("/node_modules/");
  return at < 0 ? [""] : [path.slice(0, at), ...parentsOf(path.slice(0, at))];
}

// npm leaves out what the registry in use does not have, and npm 11 then refuses `npm ci` on every platform.
test("the lock file has the optional packages of all platforms", () => {
  const missing = Object.entries(packages).flatMap(([path, { optionalDependencies = {} }]) =>
    Object.keys(optionalDependencies).filter((name) => !places(path, name).some((place) => packages[place])),
  );

  expect(missing).toEqual([]);
  expect(Object.keys(packages).length).toBeGreaterThan(100);
});

test("the lock file names no registry", () => {
  expect(JSON.stringify(lock)).not.toContain('"resolved"');
});

import {
  appendFileSync,
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, expect, test } from "vitest";
import type { CacheBackend, CacheEntry } from "../../src/cache/backend.js";
import { folderBackend } from "../../src/cache/folder/folderBackend.js";
import { openJsonStore } from "../../src/storage/json/openJsonStore.js";

const NOW = 1_700_000_000_000;
const folders: string[] = [];
const opened: CacheBackend[] = [];
function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "optimizer-cache-"));
  folders.push(path);
  return path;
}
function open(path: string, options: Parameters<typeof folderBackend>[1] = {}): CacheBackend {
  const backend = folderBackend(path, { refreshMs: 0, ...options });
  opened.push(backend);
  return backend;
}
const set = (backend: CacheBackend, key: string, value: string, storedAt = NOW) =>
  backend.set({ key, value, storedAt, expiresAt: null });
const segments = (path: string) => readdirSync(join(path, "cache")).filter((name) => name.endsWith(".log"));
const bytesIn = (path: string) =>
  segments(path).reduce((sum, name) => sum + statSync(join(path, "cache", name)).size, 0);

afterEach(async () => {
  await Promise.all(opened.splice(0).map((backend) => backend.close()));
  for (const path of folders.splice(0)) rmSync(path, { recursive: true, force: true });
});

test("an entry with one changed byte is missing, and the others are there", async () => {
  const path = folder();
  const first = open(path);
  await set(first, "a", '"The sky is blue"');
  await set(first, "b", '"Grass is green"');
  await first.close();
  const [name] = segments(path);
  const file = join(path, "cache", name!);
  writeFileSync(file, readFileSync(file, "utf8").replace("blue", "grey"));

  const second = open(path);
  expect(await second.get("a")).toBe(undefined);
  expect((await second.get("b"))?.value).toBe('"Grass is green"');
  expect(await second.size()).toMatchObject({ entries: 1 });
});

test("half a line, noise and an empty file are no entries, and harm no later ones", async () => {
  const path = folder();
  const first = open(path);
  await set(first, "a", "1");
  await first.close();
  const [name] = segments(path);
  appendFileSync(join(path, "cache", name!), 's\t000000000000\t"b"\t17000\nnoise\n\n\u0000\u0001\ns\t00');
  writeFileSync(join(path, "cache", "000000000000-1.log"), "");

  const second = open(path);
  expect((await second.get("a"))?.value).toBe("1");
  expect(await second.get("b")).toBe(undefined);
  await set(second, "b", "2");
  expect((await second.get("b"))?.value).toBe("2");
});

test("files are written anew when most of them is dead, and nothing alive is lost", async () => {
  const path = folder();
  const backend = open(path, { compactBytes: 20_000 });
  const other = open(path);
  await set(other, "theirs", '"kept"');
  for (let round = 0; round < 60; round++)
    await set(backend, "a", `"${"x".repeat(1000)}${round}"`, NOW + round);
  await expect.poll(() => bytesIn(path)).toBeLessThan(45_000);
  expect((await backend.get("a"))?.value).toContain("59");
  expect((await backend.get("theirs"))?.value).toBe('"kept"');
  expect((await other.get("theirs"))?.value).toBe('"kept"');
  await set(other, "later", "1");
  expect((await backend.get("later"))?.value).toBe("1");
  expect((await open(path).get("theirs"))?.value).toBe('"kept"');
});

test("what one program removes stays removed when another one rewrites the files", async () => {
  const path = folder();
  const backend = open(path, { compactBytes: 5_000 });
  const other = open(path);
  for (let index = 0; index < 20; index++) await set(backend, `k${index}`, `"${"x".repeat(500)}"`);
  const removing = other.delete(["k3"]);
  for (let index = 0; index < 40; index++) await set(backend, "a", `"${"y".repeat(500)}"`, NOW + index);
  expect(await removing).toBe(1);
  expect(await backend.get("k3")).toBe(undefined);
  expect(await open(path).get("k3")).toBe(undefined);
});

test("two programs that store, use, remove, rewrite and restart agree with one list, hits and order of use included", async () => {
  const step = fc.record({
    kind: fc.constantFrom("set", "set", "use", "use", "remove", "reopen", "look"),
    by: fc.nat(1),
    key: fc.constantFrom("a", "b", "c"),
    size: fc.integer({ min: 1, max: 800 }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
      const path = folder();
      let now = NOW;
      // Rewritten as often as its clock permits.
      const start = () => open(path, { compactBytes: 2_500, now: () => now });
      const programs = [start(), start()];
      const kept = new Map<string, Omit<CacheEntry, "key" | "bytes">>();
      for (const { kind, by, key, size } of steps) {
        now += 61_000;
        const program = programs[by]!;
        if (kind === "set") {
          const value = `${key}${"x".repeat(size)}${now}`;
          await program.set({ key, value, storedAt: now, expiresAt: now + 5 });
          kept.set(key, { value, storedAt: now, usedAt: now, expiresAt: now + 5, hits: 0 });
        } else if (kind === "use") {
          const { hits = 0, ...entry } = kept.get(key) ?? {};
          expect((await program.get(key))?.value).toBe(kept.get(key)?.value);
          await program.touch(key, now, now + 7);
          if ("value" in entry) kept.set(key, { ...entry, usedAt: now, expiresAt: now + 7, hits: hits + 1 });
        } else if (kind === "remove") {
          expect(await program.delete([key])).toBe(kept.delete(key) ? 1 : 0);
        } else if (kind === "reopen") {
          await program.close();
          programs[by] = start();
        } else expect((await program.size()).entries).toBe(kept.size);
      }
      for (const program of programs) await program.close();
      const later = start();
      const order: string[] = [];
      for await (const { key } of later.entries()) order.push(key);
      const byUse = [...kept].sort(([, a], [, b]) => a.usedAt - b.usedAt);
      expect(order).toEqual(byUse.map(([key]) => key));
      for (const [key, entry] of kept) expect(await later.get(key)).toMatchObject(entry);
    }),
    { numRuns: 60 },
  );
});

test("others' changes are looked for once a second, not at every look", async () => {
  const path = folder();
  let now = NOW;
  const backend = open(path, { refreshMs: 1000, now: () => now });
  const other = open(path);
  expect(await backend.get("a")).toBe(undefined);
  await set(other, "a", "1");
  expect(await backend.get("a")).toBe(undefined);
  now += 1000;
  await expect.poll(() => backend.get("a")).toMatchObject({ value: "1" });
});

test("its files lie beside those of a store, which opens as before, and are the user's alone", async () => {
  const path = folder();
  await set(open(path), "a", "1");
  const store = openJsonStore(path);
  await store.ready();
  await store.close();
  for (const name of segments(path)) expect(statSync(join(path, "cache", name)).mode & 0o777).toBe(0o600);
  expect(statSync(join(path, "cache")).mode & 0o777).toBe(0o700);
});

test("a link is refused, and a folder that cannot be made is a clear error", () => {
  const path = folder();
  symlinkSync(tmpdir(), join(path, "cache"));
  expect(() => open(path)).toThrow(/symbolic link/);
  const file = join(folder(), "file");
  writeFileSync(file, "");
  expect(() => open(file)).toThrow();
});

test.skipIf(process.getuid?.() === 0)("a folder that became read-only says so", async () => {
  const path = folder();
  const backend = open(path);
  chmodSync(join(path, "cache"), 0o500);
  await expect(set(backend, "a", "1")).rejects.toThrow();
});

test.each([0, 1000])(
  "a folder that a person removes is empty, and filled anew (refreshed after %i ms)",
  async (refreshMs) => {
    let now = NOW;
    const path = folder();
    const backend = open(path, { refreshMs, now: () => now });
    await set(backend, "old", '"wrong"');
    rmSync(join(path, "cache"), { recursive: true });
    now += 1000;
    await backend.get("old");
    await set(backend, "new", '"right"');

    expect(await backend.get("old")).toBe(undefined);
    expect((await backend.get("new"))?.value).toBe('"right"');
    expect(segments(path)).toHaveLength(1);
  },
);

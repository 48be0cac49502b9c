/** What every place for cached values must do, held against the real thing. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { CacheBackend, CacheEntryInfo } from "../../src/cache/backend.js";

export interface BackendPlace {
  /** Opens the place; twice, it is the same one seen by two programs. */
  readonly open: () => CacheBackend;
  readonly tearDown: () => Promise<void>;
}

export interface PlaceOptions {
  readonly setUp: () => Promise<BackendPlace>;
  /** What one program stored another one sees. */
  readonly isShared: boolean;
  readonly skip?: string;
}

// Redis removes by its own clock what expired long ago.
const NOW = Date.now();
const entry = (key: string, value = `"${key}"`, storedAt = NOW, expiresAt: number | null = NOW + 1000) => ({
  key,
  value,
  storedAt,
  expiresAt,
});

async function listed(backend: CacheBackend): Promise<CacheEntryInfo[]> {
  const infos: CacheEntryInfo[] = [];
  for await (const info of backend.entries()) infos.push(info);
  return infos;
}

export function describeBackendContract(name: string, { setUp, isShared, skip }: PlaceOptions): void {
  const run = skip ? describe.skip : describe;
  run(`cached values in ${name}${skip ? ` ${skip}` : ""}`, () => {
    const within = async (work: (place: BackendPlace, backend: CacheBackend) => Promise<void>) => {
      const place = await setUp();
      const backend = place.open();
      try {
        await work(place, backend);
      } finally {
        await backend.close();
        await place.tearDown();
      }
    };

    test("what was stored is there, with its times, and unused", () =>
      within(async (_, backend) => {
        await backend.set(entry("a", '{"x":"é\\n"}'));
        expect(await backend.get("a")).toMatchObject({
          key: "a",
          value: '{"x":"é\\n"}',
          storedAt: NOW,
          expiresAt: NOW + 1000,
          usedAt: NOW,
          hits: 0,
        });
        expect(await backend.get("b")).toBe(undefined);
      }));

    test("any key and any text come back", () =>
      within(async (_, backend) => {
        // PostgreSQL's text holds no NUL; what caches store is JSON, which writes it otherwise.
        const text = fc.string({ unit: "grapheme" }).filter((value) => !/[\0\ud800-\udfff]/u.test(value));
        await fc.assert(
          fc.asyncProperty(text, text, async (key, value) => {
            await backend.set(entry(key, value));
            expect((await backend.get(key))?.value).toBe(value);
          }),
          { numRuns: 50 },
        );
      }));

    test("a second value takes the first one's place and starts unused", () =>
      within(async (_, backend) => {
        await backend.set(entry("a", "1"));
        await backend.touch("a", NOW + 5, null);
        await backend.set(entry("a", "22", NOW + 10, null));
        expect(await backend.get("a")).toMatchObject({ value: "22", hits: 0, expiresAt: null });
        expect((await backend.size()).entries).toBe(1);
      }));

    test("hits are counted, and what was used last is listed last", () =>
      within(async (_, backend) => {
        for (const [index, key] of ["a", "b", "c"].entries()) await backend.set(entry(key, "1", NOW + index));
        await backend.touch("a", NOW + 10, NOW + 5000);
        await backend.touch("a", NOW + 20, NOW + 5000);
        await backend.touch("absent", NOW + 20, null);
        const infos = await listed(backend);
        expect(infos.map(({ key }) => key)).toEqual(["b", "c", "a"]);
        expect(infos[2]).toMatchObject({ hits: 2, usedAt: NOW + 20, expiresAt: NOW + 5000 });
      }));

    test("removed values are gone, and the number says how many there were", () =>
      within(async (_, backend) => {
        for (const key of ["a", "b", "c"]) await backend.set(entry(key));
        expect(await backend.delete(["a", "c", "absent"])).toBe(2);
        expect((await listed(backend)).map(({ key }) => key)).toEqual(["b"]);
        expect(await backend.get("a")).toBe(undefined);
        expect(await backend.delete([])).toBe(0);
        await backend.set(entry("a", "2"));
        expect((await backend.get("a"))?.value).toBe("2");
      }));

    test("its size follows what is stored, replaced and removed", () =>
      within(async (_, backend) => {
        expect(await backend.size()).toEqual({ entries: 0, bytes: 0 });
        await backend.set(entry("a", "x".repeat(1000)));
        const { bytes } = await backend.size();
        expect(bytes).toBeGreaterThanOrEqual(1000);
        expect(bytes).toBeLessThan(1200);
        await backend.set(entry("a", "x"));
        expect((await backend.size()).bytes).toBeLessThan(200);
        await backend.delete(["a"]);
        expect(await backend.size()).toEqual({ entries: 0, bytes: 0 });
      }));

    test("more entries than fit one page are all listed", () =>
      within(async (_, backend) => {
        const keys = Array.from({ length: 1_203 }, (_, index) => `key ${index}`);
        await Promise.all(keys.map((key, index) => backend.set(entry(key, "1", NOW + index))));
        expect((await listed(backend)).map(({ key }) => key)).toEqual(keys);
        expect(await backend.delete(keys)).toBe(keys.length);
      }));

    test("a listing misses nothing because others are used meanwhile", () =>
      within(async (_, backend) => {
        const keys = Array.from({ length: 1_203 }, (_, index) => `key ${index}`);
        await Promise.all(keys.map((key, index) => backend.set(entry(key, "1", NOW + index))));
        const listing = listed(backend);
        const touches = keys.slice(0, 50).map((key) => backend.touch(key, NOW + 2_000, null));
        expect(new Set((await listing).map(({ key }) => key)).size).toBe(keys.length);
        await Promise.all(touches);
      }));

    test.runIf(isShared)("another program sees what is stored, used and removed", () =>
      within(async (place, backend) => {
        const other = place.open();
        try {
          await backend.set(entry("a"));
          await backend.set(entry("b", "1", NOW + 1));
          expect((await other.get("a"))?.value).toBe('"a"');
          await other.set(entry("a", "2", NOW + 2));
          expect((await backend.get("a"))?.value).toBe("2");
          expect(await other.delete(["b"])).toBe(1);
          expect(await backend.get("b")).toBe(undefined);
        } finally {
          await other.close();
        }
      }),
    );

    test.runIf(isShared)("it outlives the program, hits included", () =>
      within(async (place, backend) => {
        await backend.set(entry("a"));
        await backend.touch("a", NOW + 7, NOW + 5000);
        await backend.set(entry("gone"));
        await backend.delete(["gone"]);
        await backend.close();
        const later = place.open();
        try {
          expect(await later.get("a")).toMatchObject({ value: '"a"', hits: 1, usedAt: NOW + 7 });
          expect(await later.get("gone")).toBe(undefined);
        } finally {
          await later.close();
        }
      }),
    );
  });
}

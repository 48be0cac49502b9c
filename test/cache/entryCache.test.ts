import { describe, expect, test } from "vitest";
import type { CacheBackend } from "../../src/cache/backend.js";
import { EntryCache } from "../../src/cache/entryCache.js";
import { memoryBackend } from "../../src/cache/memoryBackend.js";

const START = 1_700_000_000_000;
function clock() {
  let now = START;
  return { now: () => now, pass: (seconds: number) => (now += seconds * 1000) };
}
async function keysOf(cache: EntryCache): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of cache.entries()) keys.push(key);
  return keys;
}

describe("time to live", () => {
  test("is an hour, another one for the cache, another one for an entry, or none", async () => {
    const time = clock();
    const cache = new EntryCache({ now: time.now });
    await cache.set("hour", "1");
    await cache.set("minute", "1", 60);
    await cache.set("ever", "1", null);
    time.pass(59);
    expect(await cache.get("minute")).toBeDefined();
    time.pass(1);
    expect(await cache.get("minute")).toBe(undefined);
    time.pass(3539);
    expect(await cache.get("hour")).toBeDefined();
    time.pass(1);
    expect(await cache.get("hour")).toBe(undefined);
    time.pass(1e8);
    expect(await cache.get("ever")).toBeDefined();
  });

  test("expired entries go when they are cleared", async () => {
    const time = clock();
    const cache = new EntryCache({ now: time.now });
    await cache.set("a", "1", 60);
    await cache.set("b", "1", 120);
    time.pass(60);
    expect(await cache.clearExpired()).toBe(1);
    expect(await keysOf(cache)).toEqual(["b"]);
  });

  test("learned, it grows with the waits for the next use, also beyond itself", async () => {
    const time = clock();
    const cache = new EntryCache({ now: time.now, ttlSeconds: "learned" });
    expect((await cache.statistics()).ttlSeconds).toBe(3600);
    for (let use = 0; use < 30; use++) {
      if (!(await cache.get("a"))) await cache.set("a", "1");
      time.pass(3 * 3600);
    }
    expect((await cache.statistics()).ttlSeconds).toBe(16_384);
    const { hits } = await cache.statistics();
    expect(hits).toBeGreaterThan(0);
    expect(await cache.get("a")).toBeDefined();
  });

  test.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY, "1h"])("%s is none", async (ttlSeconds) => {
    const options = { ttlSeconds } as { ttlSeconds: number };
    expect(() => new EntryCache(options)).toThrow(/^ttlSeconds is/);
    await expect(new EntryCache().set("a", "1", options.ttlSeconds)).rejects.toMatchObject({
      code: "OPTION_INVALID",
    });
  });
});

describe("bounds", () => {
  test("the least recently used tenth goes when there are too many", async () => {
    const cache = new EntryCache({ maxEntries: 20 });
    for (let index = 0; index < 20; index++) await cache.set(`k${index}`, "1");
    await cache.get("k0");
    await cache.set("new", "1");
    const keys = await keysOf(cache);
    expect(keys).toHaveLength(18);
    expect(keys).toContain("k0");
    expect(keys).toContain("new");
    expect(keys).not.toContain("k1");
    expect((await cache.statistics()).evictions).toBe(3);
  });

  test("bytes are bounded too, and what alone is too large is not stored", async () => {
    const cache = new EntryCache({ maxBytes: 10_000 });
    await cache.set("small", "1");
    await cache.set("huge", "x".repeat(10_001));
    expect(await keysOf(cache)).toEqual(["small"]);
    for (let index = 0; index < 50; index++) {
      await cache.set(`k${index}`, "x".repeat(1000));
      expect((await cache.statistics()).bytes).toBeLessThanOrEqual(10_000);
    }
    expect(await cache.get("k49")).toBeDefined();
  });

  test("a cache of one entry keeps the newest", async () => {
    const cache = new EntryCache({ maxEntries: 1 });
    await cache.set("a", "1");
    await cache.set("b", "1");
    expect(await keysOf(cache)).toEqual(["b"]);
  });

  test.each([{ maxEntries: 0 }, { maxEntries: 1.5 }, { maxBytes: -1 }, { maxBytes: Number.NaN }])(
    "%o is refused",
    (options) => expect(() => new EntryCache(options)).toThrow(/Give a whole number above 0/),
  );
});

test("what the place has dropped by itself makes nobody leave", async () => {
  const place = memoryBackend();
  let dropped = 0;
  // As Redis: what it let expire is counted until somebody lists it.
  const backend: CacheBackend = {
    ...place,
    size: async () => {
      const { entries, bytes } = await place.size();
      return { entries: entries + dropped, bytes };
    },
    entries() {
      dropped = 0;
      return place.entries();
    },
  };
  const cache = new EntryCache({ backend, maxEntries: 100 });
  await cache.set("a", "1");
  dropped = 100;
  for (let key = 0; key < 60; key++) await cache.set(`${key}`, "1");
  expect(await cache.statistics()).toMatchObject({ size: 61, evictions: 0 });
});

test("entries are removed by key, by pattern, by regular expression, and all at once", async () => {
  const cache = new EntryCache();
  const fill = async () => {
    for (const key of ["qwen/1", "qwen/2", "llama/1"]) await cache.set(key, "1");
  };
  await fill();
  expect(await cache.invalidate("qwen/1")).toBe(1);
  expect(await cache.invalidate("qwen/1")).toBe(0);
  expect(await cache.invalidate("qwen/*")).toBe(1);
  expect(await keysOf(cache)).toEqual(["llama/1"]);
  await fill();
  expect(await cache.invalidate(/1$/)).toBe(2);
  expect(await cache.invalidate()).toBe(1);
  expect((await cache.statistics()).size).toBe(0);
});

test("hits are counted for the cache and for each entry", async () => {
  const cache = new EntryCache({ maxEntries: 7, maxBytes: 1000 });
  await cache.set("a", "1");
  expect((await cache.get("a"))?.hits).toBe(1);
  expect((await cache.get("a"))?.hits).toBe(2);
  await cache.get("b");
  for await (const { key, hits } of cache.entries()) expect([key, hits]).toEqual(["a", 2]);
  expect(await cache.statistics()).toEqual({
    size: 1,
    maxSize: 7,
    bytes: 2,
    maxBytes: 1000,
    hits: 2,
    misses: 1,
    hitRate: 2 / 3,
    ttlSeconds: 3600,
    requestsSaved: 2,
    timeSavedMs: 0,
    costSaved: 0,
    evictions: 0,
    skipped: { sampled: 0, cut: 0, empty: 0, other: 0 },
    failures: 0,
  });
});

describe("a place that fails", () => {
  const broken = (fail: () => never): CacheBackend => ({
    ...memoryBackend(),
    location: "a broken place",
    get: fail,
    set: fail,
    size: fail,
    delete: fail,
  });

  test("costs a miss and one warning, and is left alone for a while", async () => {
    const time = clock();
    const warnings: string[] = [];
    let asked = 0;
    const backend = broken(() => {
      asked++;
      throw new Error("connect ECONNREFUSED\nGET secret prompt");
    });
    const cache = new EntryCache({ backend, now: time.now, logger: { warn: (text) => warnings.push(text) } });
    await cache.set("a", "1");
    for (let look = 0; look < 10; look++) expect(await cache.get("a")).toBe(undefined);
    expect(asked).toBe(1);
    time.pass(6);
    await cache.get("a");
    expect(asked).toBe(2);
    expect(warnings).toEqual(["The cache in a broken place is not used for now: connect ECONNREFUSED"]);
    expect(await cache.statistics()).toMatchObject({ misses: 11, failures: 2, size: 0 });
  });

  test("but an entry that was to be removed and was not is told", async () => {
    const backend = broken(() => {
      throw new Error("away");
    });
    await expect(new EntryCache({ backend }).invalidate("a")).rejects.toThrow("away");
  });

  test("that never answers holds a call up for a second", async () => {
    const backend = { ...memoryBackend(), get: () => new Promise<never>(() => {}) };
    const warnings: string[] = [];
    const cache = new EntryCache({ backend, logger: { warn: (text) => warnings.push(text) } });
    const began = performance.now();
    expect(await cache.get("a")).toBe(undefined);
    expect(performance.now() - began).toBeLessThan(1_500);
    expect(warnings[0]).toMatch("no answer in 1000 ms");
  });
});

test.each([
  ["NaN", { storedAt: Number.NaN }],
  ["negative", { storedAt: -1 }],
  ["of the future", { storedAt: START + 1e9 }],
  ["used in the future", { usedAt: START + 1e9 }],
  ["expiring before it was stored", { expiresAt: START - 1e9 }],
  ["expiring at no time", { expiresAt: Number.NaN }],
])("an entry whose time is %s is a miss", async (_, times) => {
  const good = { key: "a", value: "1", bytes: 2, storedAt: START, usedAt: START, expiresAt: null, hits: 0 };
  const backend = { ...memoryBackend(), get: () => ({ ...good, ...times }) };
  expect(await new EntryCache({ backend, now: () => START }).get("a")).toBe(undefined);
  expect(
    await new EntryCache({ backend: { ...backend, get: () => good }, now: () => START }).get("a"),
  ).toBeDefined();
});

describe("equal calls at the same time", () => {
  test("wait for the first, and then go on together", async () => {
    const cache = new EntryCache();
    const order: string[] = [];
    const land = await cache.enter("a");
    const others = [1, 2].map(async (number) => {
      const landOther = await cache.enter("a");
      order.push(`${number} goes on`);
      landOther();
    });
    const different = await cache.enter("b");
    order.push("b goes at once");
    different();
    land();
    await Promise.all(others);
    expect(order).toEqual(["b goes at once", "1 goes on", "2 goes on"]);
    (await cache.enter("a"))();
  });

  test("go one after the other while their callers give them up", async () => {
    const cache = new EntryCache();
    const land = await cache.enter("a");
    const order: string[] = [];
    const others = [1, 2, 3].map(async (number) => {
      const landOther = await cache.enter("a");
      order.push(`${number} goes`);
      await Promise.resolve();
      order.push(`${number} ends`);
      landOther(number === 1);
    });
    land(true);
    await Promise.all(others);
    expect(order).toEqual(["1 goes", "1 ends", "2 goes", "2 ends", "3 goes", "3 ends"]);
  });

  test("one that is aborted while it waits leaves the others alone", async () => {
    const cache = new EntryCache();
    const land = await cache.enter("a");
    const stop = new AbortController();
    const aborted = cache.enter("a", stop.signal);
    const waiting = cache.enter("a");
    stop.abort(new Error("enough"));
    await expect(aborted).rejects.toThrow("enough");
    land();
    await waiting;
  });
});

import { parseHTML } from "linkedom";
import { describe, expect, test } from "vitest";
import type { Anomalies, Costs, Report } from "../../../src/analysis/types.js";
import { EntryCache } from "../../../src/cache/index.js";
import { createServerApp } from "../../../src/server/index.js";
import { memoryStore } from "../../../src/storage/memory.js";
import { step } from "../../autopilot/support.js";
import { call, lognormal, seeded } from "../../monitor/calls.js";
import { temporaryFolders } from "../../storage/temporaryFolder.js";
import { pair, user } from "../support.js";

const MINUTE = 60_000;
const folders = temporaryFolders();

/** A server with the log of some calls that were made lately. */
async function withCalls(count: number, options: Parameters<typeof pair>[1] = {}) {
  const program = await pair({}, options);
  const random = seeded(5);
  for (let index = 0; index < count; index++) {
    const at = Date.now() - (count - index) * MINUTE;
    const totalMs = lognormal(random, 1_000, 0.3);
    await program.store.append(call(at, { id: `c${index}`, model: index % 4 ? "small" : "large", totalMs }));
  }
  const get = async (path: string, headers = {}) => program.app.request(path, { headers });
  const json = async <T>(path: string) => (await get(path)).json() as Promise<T>;
  return { ...program, get, json, [Symbol.asyncDispose]: program[Symbol.asyncDispose] };
}

describe("the report", () => {
  test("is data with the efficiency score, unless a page or Markdown is asked for", async () => {
    await using server = await withCalls(40);
    const data = await server.get("/optimization/report");
    const page = await server.get("/optimization/report", {
      accept: "text/html,application/xhtml+xml,*/*;q=0.8",
    });
    const text = await server.get("/optimization/report", { accept: "text/markdown" });

    expect(data.headers.get("content-type")).toContain("application/json");
    expect(data.headers.get("vary")).toBe("accept");
    expect(await data.json()).toMatchObject({ summary: { efficiency_score: 70, calls: 40 } });
    expect(page.headers.get("content-type")).toContain("text/html");
    expect(page.headers.get("content-security-policy")).toContain("default-src 'none'");
    const { document } = parseHTML(await page.text());
    expect(document.querySelector("h1")?.textContent).toContain("report");
    expect(document.querySelectorAll("script")).toHaveLength(0);
    expect(text.headers.get("content-type")).toContain("text/markdown");
    expect(await text.text()).toMatch(/^# /);
  });

  test("says that there is not enough data rather than a number", async () => {
    await using server = await withCalls(3);

    expect(await server.json("/optimization/report")).toMatchObject({
      summary: { efficiency_score: null, efficiencyScore: { enough: false, have: 3 } },
    });
  });
});

test("metrics tell of the calls of so many days, in all, by model and by error", async () => {
  await using server = await withCalls(40);
  await server.store.append(call(Date.now(), { model: "large", error: "OUT_OF_MEMORY", outputTokens: null }));
  await server.store.append(call(Date.now() - 9 * 86_400_000));

  expect(await server.json("/optimization/metrics")).toMatchObject({
    days: 7,
    calls: 41,
    errors: 1,
    errorsByCode: { OUT_OF_MEMORY: 1 },
    promptTokens: 41 * 812,
    outputTokens: 40 * 96,
    models: [
      { model: "small", calls: 30, share: 30 / 41 },
      { model: "large", calls: 11, errors: 1 },
    ],
    ratings: { good: 0, neutral: 0, bad: 0 },
  });
  expect(await server.json("/optimization/metrics?days=10")).toMatchObject({ days: 10, calls: 42 });
});

test("anomalies are searched in the log, by the robust method or by three sigma", async () => {
  await using server = await withCalls(80);
  await server.store.append(call(Date.now(), { id: "slow", model: "small", totalMs: 60_000 }));

  for (const method of ["robust", "threeSigma"]) {
    const { anomalies, count } = await server.json<Anomalies & { count: number }>(
      `/optimization/anomalies?method=${method}`,
    );
    expect(count).toBe(anomalies.length);
    expect(anomalies.at(-1)).toMatchObject({ kind: "spike", requestId: "slow", direction: "worse" });
  }
});

test("costs are those of the prices that the program gave", async () => {
  const prices = { currency: "EUR", models: { "*": { inputPer1k: 1, outputPer1k: 10 } } };
  await using server = await withCalls(10, { reporting: { prices } });
  const { currency, total, byModel } = await server.json<Costs>("/optimization/costs");

  expect(currency).toBe("EUR");
  expect(total.tokenCost).toBeCloseTo(10 * (0.812 + 0.96));
  expect(Object.keys(byModel).sort()).toEqual(["large", "small"]);
});

describe("the cache's figures", () => {
  test("are told in full", async () => {
    const cache = new EntryCache({ ttlSeconds: 600, maxEntries: 50 });
    await cache.set("a", "1");
    for (const key of ["a", "a", "a", "b"]) await cache.get(key);
    await using server = await withCalls(0, { reporting: { cache } });

    expect(await server.json("/optimization/cache-stats")).toMatchObject({
      enabled: true,
      cache: { size: 1, max_size: 50, hits: 3, misses: 1, hit_rate_percent: 75, ttl_seconds: 600 },
      performance_impact: { requests_saved: 3, time_saved_estimate_seconds: 0, cost_saved_usd: 0 },
    });
  });

  test("are zero where there is no cache, and Ollama's own prefix cache is told all the same", async () => {
    await using server = await withCalls(0);
    await server.post("/api/chat", { model: "tiny", messages: user("hello"), stream: false });

    const told = await server.json<{ prefix_cache: { prompt_tokens: number } }>("/optimization/cache-stats");
    expect(told).toMatchObject({ enabled: false, cache: { size: 0, hits: 0 } });
    expect(told.prefix_cache.prompt_tokens).toBeGreaterThan(0);
  });

  test("tell of the prefix cache for a day, also of what was before this server's start", async () => {
    const store = memoryStore();
    const tokens = { promptTokens: 100, cachedTokens: 60 };
    await store.append(call(Date.now() - 20 * 3_600_000, { id: "today", ...tokens }));
    await store.append(call(Date.now() - 25 * 3_600_000, { id: "yesterday", ...tokens }));
    await using server = await pair({}, { store });

    expect(await (await server.app.request("/optimization/cache-stats")).json()).toMatchObject({
      prefix_cache: { prompt_tokens: 100, cached_tokens: 60 },
    });
  });
});

describe("auto-optimize", () => {
  /** A cache that hardly ever hits. */
  async function idleCache() {
    const cache = new EntryCache();
    for (let index = 0; index < 50; index++) await cache.get(`${index}`);
    return cache;
  }

  test("takes the steps that are due, and lists them with their time", async () => {
    const cache = await idleCache();
    await using server = await withCalls(0, { reporting: { cache } });
    const dry = await (await server.post("/optimization/auto-optimize", { dry_run: true })).json();
    expect((await cache.statistics()).ttlSeconds).toBe(3_600);
    const reply = await server.post("/optimization/auto-optimize", "");
    const done = (await reply.json()) as { optimizations: { timestamp: string }[] };

    expect(dry).toMatchObject({ status: "success", count: 1, optimizations: [{ state: "proposed" }] });
    expect(done).toMatchObject({
      status: "success",
      count: 1,
      optimizations: [{ type: "cacheTtl", action: expect.stringContaining("7200 s"), state: "open" }],
    });
    expect(Date.parse(done.optimizations[0]!.timestamp)).toBeGreaterThan(Date.now() - MINUTE);
    expect((await cache.statistics()).ttlSeconds).toBe(7_200);
    const report = await server.json<Report>("/optimization/report");
    expect(report.applied).toMatchObject([{ type: "cacheTtl", outcome: null }]);
  });

  test("with nothing to do takes no step", async () => {
    await using server = await withCalls(0);

    expect(await (await server.post("/optimization/auto-optimize", {})).json()).toEqual({
      status: "success",
      count: 0,
      optimizations: [],
      checked: [],
    });
  });

  test("by itself is off until it is switched on, and stays as it was switched", async () => {
    await using server = await withCalls(0);
    expect(await server.json("/optimization/autonomous/status")).toMatchObject({
      enabled: false,
      every_seconds: 300,
      open_steps: 0,
      history: [],
    });
    expect(await (await server.post("/optimization/autonomous/enable", "")).json()).toMatchObject({
      enabled: true,
    });
    await using restarted = await pair({}, { store: server.store });
    expect(await (await restarted.app.request("/optimization/autonomous/status")).json()).toMatchObject({
      enabled: true,
      changed_at: expect.stringMatching(/^\d{4}-/),
    });
    expect(await (await server.post("/optimization/autonomous/disable", "")).json()).toMatchObject({
      enabled: false,
    });
  });

  test("is told as it was switched also while the store is being read", async () => {
    const folder = await folders.make();
    await using server = await pair();
    const started = (store = folders.open(folder)) => ({
      store,
      app: createServerApp({ upstream: server.ollama.origin, store }),
    });
    const first = started();
    await first.app.request("/optimization/autonomous/enable", { method: "POST" });
    await first.store.merge("settings", { id: "autopilot step 1", value: step({ state: "kept" }) });
    await first.store.close();
    const status = started();
    const report = started();

    expect(await (await status.app.request("/optimization/autonomous/status")).json()).toMatchObject({
      enabled: true,
      history: [{ state: "kept" }],
    });
    expect(await (await report.app.request("/optimization/report")).json()).toMatchObject({
      applied: [{ outcome: "kept" }],
    });
  });
});

describe("ratings", () => {
  test("are kept by call, the latest counts", async () => {
    await using server = await withCalls(3);
    const rate = (id: string, rating: unknown) => server.post("/optimization/ratings", { id, rating });
    expect(await (await rate("c1", 1)).json()).toEqual({ id: "c1", rating: 1, model: "small" });
    await rate("c1", -1);
    await rate("c2", 0);

    expect(await server.json("/optimization/metrics")).toMatchObject({
      ratings: { good: 0, neutral: 1, bad: 1 },
    });
  });

  test("of a call that is not known are not found", async () => {
    await using server = await withCalls(1);

    expect((await server.post("/optimization/ratings", { id: "other", rating: 1 })).status).toBe(404);
  });
});

test.each([
  ["GET", "/optimization/report?days=0"],
  ["GET", "/optimization/metrics?days=week"],
  ["GET", "/optimization/anomalies?method=guess"],
  ["POST", "/optimization/ratings", { id: "c0", rating: 2 }],
  ["POST", "/optimization/ratings", { rating: 1 }],
  ["POST", "/optimization/ratings", "not JSON"],
  ["POST", "/optimization/auto-optimize", { dry_run: "yes" }],
  ["POST", "/optimization/auto-optimize", { dryRun: true }],
  ["POST", "/optimization/auto-optimize", "[]"],
])("%s %s %j is refused with a word on what to send", async (method, path, body?) => {
  await using server = await withCalls(1);
  const reply = method === "GET" ? await server.get(path) : await server.post(path, body);

  expect(reply.status).toBe(400);
  expect(await reply.json()).toMatchObject({ error: expect.stringContaining("Give ") });
});

test("all of it needs the token", async () => {
  await using server = await withCalls(1, { token: "open sesame" });
  for (const path of ["report", "metrics", "anomalies", "costs", "cache-stats", "autonomous/status"]) {
    expect((await server.get(`/optimization/${path}`)).status).toBe(401);
  }
  expect((await server.post("/optimization/autonomous/enable", "")).status).toBe(401);
});

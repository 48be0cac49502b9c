/**
 * What the store's benchmark measures in processes of their own: MODE WHERE [NAME COUNT]. Prints one JSON object.
 */
import { open } from "node:fs/promises";
import { createRequire } from "node:module";
import { openJsonStore } from "../../src/storage/json/openJsonStore.js";
import { postgresStore } from "../../src/storage/postgres/postgresStore.js";
import { redisStore } from "../../src/storage/redis/redisStore.js";
import type { OptimizerStore } from "../../src/storage/store.js";
import { benchRequest, benchTemplate } from "./records.js";

// Not imported: the benchmarks' build would put them into one file with everything else.
const require = createRequire(import.meta.url);
const { Redis } = require("ioredis") as typeof import("ioredis");
const postgres = require("postgres") as typeof import("postgres");

/** Writes that wait at the same time, as in a busy server. */
const LANES = 64;

const [mode = "", where = "", name = "", count = "0"] = process.argv.slice(2);
const total = Number(count);
const report = (figures: object) => process.stdout.write(JSON.stringify(figures));

async function inLanes(work: (index: number) => Promise<unknown>, times = total): Promise<void> {
  let next = 0;
  const lane = async () => {
    for (let index = next++; index < times; index = next++) await work(index);
  };
  await Promise.all(Array.from({ length: LANES }, lane));
}

/** Appends through a store, as fast as it takes them. */
async function append(store: OptimizerStore): Promise<void> {
  await store.ready();
  const start = performance.now();
  await inLanes((index) => store.append(benchRequest(`${name}-${index}`)));
  const ms = performance.now() - start;
  await store.close();
  report({ ms });
}

async function bare(insert: (id: string, at: string, json: string) => Promise<unknown>): Promise<void> {
  const start = performance.now();
  await inLanes((index) => {
    const request = benchRequest(`${name}-${index}`);
    return insert(request.id, request.at, JSON.stringify(request));
  });
  report({ ms: performance.now() - start });
}

function memory(): { heapMb: number; rssMb: number } {
  globalThis.gc?.();
  globalThis.gc?.();
  const { heapUsed, external, rss } = process.memoryUsage();
  return { heapMb: (heapUsed + external) / 2 ** 20, rssMb: rss / 2 ** 20 };
}

/**
 * The longest time the event loop was held up by this process's own work, in milliseconds. Of each pause only as much
 * counts as this process spent computing in it: on a busy machine the rest is somebody else's.
 */
function watchLoop(): () => number {
  let longest = 0;
  let wall = performance.now();
  let cpu = process.cpuUsage();
  const timer = setInterval(() => {
    const spent = process.cpuUsage(cpu);
    const pause = performance.now() - wall;
    longest = Math.max(longest, Math.min(pause, (spent.user + spent.system) / 1000));
    wall = performance.now();
    cpu = process.cpuUsage();
  }, 1);
  return () => {
    clearInterval(timer);
    return longest;
  };
}

switch (mode) {
  case "fill": {
    const store = openJsonStore(where, { compactBytes: 64 * 1024 });
    await inLanes((index) => store.append(benchRequest(`${name}-${index}`)));
    await inLanes((index) => store.merge("templates", benchTemplate(index)), total / 10);
    await store.close();
    report({});
    break;
  }
  case "open": {
    const blocked = watchLoop();
    const start = performance.now();
    const store = openJsonStore(where);
    const syncMs = performance.now() - start;
    store.get("profiles", "any");
    await store.ready();
    const openMs = performance.now() - start;
    await new Promise((resolve) => setTimeout(resolve, 50));
    const blockedMs = blocked();
    const templates = [...store.list("templates")].length;
    await new Promise((resolve) => setTimeout(resolve, 1000));
    report({ syncMs, openMs, blockedMs, templates, ...memory() });
    await store.close();
    break;
  }
  case "use": {
    const store = openJsonStore(where, {
      compactBytes: 2 * 2 ** 20,
      foldMs: 500,
      pollMs: 250,
      retainMs: 1000,
    });
    await store.ready();
    const blocked = watchLoop();
    const [calls, acknowledged]: [number[], number[]] = [[], []];
    for (let index = 0; index < total; index++) {
      const request = benchRequest(`${name}-${index}`);
      const start = performance.now();
      const done = store.append(request);
      calls.push(performance.now() - start);
      void store.merge("templates", benchTemplate(index % 10_000));
      await done;
      acknowledged.push(performance.now() - start);
    }
    let read = 0;
    for await (const _ of store.requests({ model: "none" })) read++;
    for await (const _ of store.requests({ limit: 1000, newestFirst: true })) read++;
    await store.flush();
    const blockedMs = blocked();
    await store.close();
    report({ calls, acknowledged, blockedMs, read });
    break;
  }
  case "sync": {
    const file = await open(where, "a");
    const line = `\n${JSON.stringify(benchRequest(name))}`;
    const acknowledged: number[] = [];
    for (let index = 0; index < total; index++) {
      const start = performance.now();
      await file.write(line);
      await file.datasync();
      acknowledged.push(performance.now() - start);
    }
    await file.close();
    report({ acknowledged });
    break;
  }
  case "json":
    await append(openJsonStore(where));
    break;
  case "redis": {
    const client = new Redis(where);
    await append(redisStore(client, { prefix: "bench:" }));
    await client.quit();
    break;
  }
  case "redisBare": {
    const client = new Redis(where);
    await client.ping();
    await bare((id, at, json) =>
      Promise.all([client.hset("bare:requests", id, json), client.zadd("bare:times", Date.parse(at), id)]),
    );
    await client.quit();
    break;
  }
  case "postgres": {
    const sql = postgres(where, { max: 4, onnotice: () => {} });
    await append(postgresStore(sql, { prefix: "bench_" }));
    await sql.end();
    break;
  }
  case "postgresBare": {
    const sql = postgres(where, { max: 4, onnotice: () => {} });
    await sql`CREATE TABLE IF NOT EXISTS bare (id text PRIMARY KEY, at timestamptz, record text)`.catch(
      () => {},
    );
    await bare((id, at, json) => sql`INSERT INTO bare VALUES (${id}, ${at}, ${json}) ON CONFLICT DO NOTHING`);
    await sql.end();
    break;
  }
}

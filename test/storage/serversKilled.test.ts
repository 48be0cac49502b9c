/** A server killed under load and started again on its data: nothing acknowledged is lost, nothing counts twice. */
import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";
import { Pool } from "pg";
import postgres from "postgres";
import { createClient } from "redis";
import { afterAll, describe, expect, it } from "vitest";
import { startPostgres, startRedis, type TestServer } from "../../scripts/services/servers.mjs";
import { postgresStore } from "../../src/storage/postgres/postgresStore.ts";
import { redisStore } from "../../src/storage/redis/redisStore.ts";
import type { OptimizerStore } from "../../src/storage/store.ts";
import { collect, request, template } from "../contract/records.ts";
import { NOT_INSTALLED } from "../contract/servers.ts";

const KILLS = 3;
/** Writes that wait at the same time. */
const LANES = 16;

async function survivesKills(server: TestServer, open: () => OptimizerStore): Promise<void> {
  const [one, two] = [open(), open()];
  let isOver = false;
  const appended: string[] = [];
  let merged = 0;
  const failures: unknown[] = [];
  const lane = async (store: OptimizerStore, name: string) => {
    for (let index = 0; !isOver; index++) {
      const id = `${name}-${index}`;
      try {
        await Promise.all([store.append(request(id)), store.merge("templates", template("shared", index))]);
        appended.push(id);
        merged++;
      } catch (error) {
        failures.push(error);
      }
    }
  };
  const lanes = Array.from({ length: LANES }, (_, index) =>
    lane(index % 2 === 0 ? one : two, `lane${index}`),
  );
  for (let kill = 0; kill < KILLS; kill++) {
    await sleep(200 + Math.random() * 200);
    await server.kill();
    await sleep(100);
    await server.restart();
  }
  await sleep(300);
  isOver = true;
  await Promise.all(lanes);
  await Promise.all([one.close(), two.close()]);
  expect(failures).toEqual([]);
  const last = open();
  await last.ready();
  const found = (await collect(last.requests())).map(({ id }) => id);
  expect(found.length).toBe(new Set(found).size);
  expect(found.sort()).toEqual(appended.sort());
  expect(last.get("templates", "shared")?.counts.observations).toBe(merged);
  expect(merged).toBeGreaterThan(LANES * KILLS);
  await last.close();
}

const redis = await startRedis();
const sql = await startPostgres();
afterAll(() => Promise.all([redis?.stop(), sql?.stop()]));

describe.skipIf(redis === null)(`Redis, killed under load ${redis === null ? NOT_INSTALLED : ""}`, () => {
  it("loses nothing with ioredis", { timeout: 120_000 }, async () => {
    const client = new Redis(redis!.url);
    await survivesKills(redis!, () => redisStore(client, { prefix: "ioredis:" }));
    await client.quit();
  });

  it("loses nothing with node-redis", { timeout: 120_000 }, async () => {
    const client = createClient({ url: redis!.url });
    const store = () => redisStore(client, { prefix: "node-redis:" });
    // The store listens for errors; without a listener the client would end the process.
    const first = store();
    await client.connect();
    await survivesKills(redis!, store);
    await first.close();
    await client.close();
  });

  it("tells that it cannot be reached, within its patience, and stores what waited once it can", {
    timeout: 120_000,
  }, async () => {
    await redis!.kill();
    const client = new Redis(redis!.url, { retryStrategy: () => 100 });
    const store = redisStore(client, { prefix: "late:" });
    const late = store.append(request("q"));
    await expect(late).rejects.toMatchObject({ code: "STORE_UNREACHABLE" });
    await redis!.restart();
    await store.flush();
    expect(await collect(store.requests())).toEqual([request("q")]);
    await store.close();
    await client.quit();
  });
});

describe.skipIf(sql === null)(`PostgreSQL, killed under load ${sql === null ? NOT_INSTALLED : ""}`, () => {
  it("loses nothing with pg", { timeout: 120_000 }, async () => {
    const pool = new Pool({ connectionString: sql!.url, max: 4 });
    await survivesKills(sql!, () => postgresStore(pool, { prefix: "pg_" }));
    await pool.end();
  });

  it("loses nothing with postgres.js", { timeout: 120_000 }, async () => {
    // Its own question for types, asked anew with each connection, is an unhandled rejection when that one is cut too (3.4.9).
    const client = postgres(sql!.url, { max: 4, fetch_types: false, onnotice: () => {}, backoff: () => 0.1 });
    await survivesKills(sql!, () => postgresStore(client, { prefix: "postgresjs_" }));
    // Queries that its connections lost while the server was away never settle in postgres.js.
    await client.end({ timeout: 5 });
  });
});

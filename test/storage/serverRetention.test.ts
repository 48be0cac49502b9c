/** Old requests go by the clocks of both, the program and the server. */
import { Redis } from "ioredis";
import { Pool } from "pg";
import { afterAll, describe, expect, it, vi } from "vitest";
import { postgresStore } from "../../src/storage/postgres/postgresStore.ts";
import { redisStore } from "../../src/storage/redis/redisStore.ts";
import type { OptimizerStore } from "../../src/storage/store.ts";
import { collect, request } from "../contract/records.ts";
import { NOT_INSTALLED, postgresUrl, redisUrl } from "../contract/servers.ts";

const DAY = 24 * 60 * 60 * 1000;
const daysAgo = (days: number) => ({ at: new Date(Date.now() - days * DAY).toISOString() });
interface Options {
  readonly now: () => number;
  readonly pollMs: number;
  readonly retentionDays: number;
}

function describeRetention(
  name: string,
  url: string | null,
  open: (prefix: string, options: Options) => OptimizerStore,
) {
  describe.skipIf(url === null)(`retention in ${name} ${url === null ? NOT_INSTALLED : ""}`, () => {
    it("removes what is too old, and nothing more for a program whose clock is years ahead", async () => {
      const prefix = `retention${process.pid}_`;
      let ahead = 0;
      const store = open(prefix, { now: () => Date.now() + ahead, pollMs: 10, retentionDays: 30 });
      await Promise.all([
        store.append(request("old", daysAgo(40))),
        store.append(request("recent", daysAgo(20))),
        store.append(request("new", daysAgo(0))),
      ]);
      ahead = 1_000 * DAY;
      await vi.waitFor(
        async () => expect((await collect(store.requests())).map(({ id }) => id)).toEqual(["recent", "new"]),
        5_000,
      );
      await store.close();
    });
  });
}

const redis = await redisUrl();
const client = redis === null ? null : new Redis(redis, { lazyConnect: true });
const postgres = await postgresUrl();
const pool = postgres === null ? null : new Pool({ connectionString: postgres });
afterAll(async () => {
  await client?.quit();
  await pool?.end();
});

describeRetention("Redis", redis, (prefix, options) => redisStore(client!, { prefix, ...options }));
describeRetention("PostgreSQL", postgres, (prefix, options) => postgresStore(pool!, { prefix, ...options }));

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import pg from "pg";
import postgres from "postgres";
import { createClient } from "redis";
import { expect, test } from "vitest";
import { folderBackend, memoryBackend, postgresBackend, redisBackend } from "../../src/cache/index.js";
import { NOT_INSTALLED, postgresUrl, redisUrl } from "../contract/servers.js";
import { describeBackendContract } from "./backendContract.js";

const [redisAt, postgresAt] = await Promise.all([redisUrl(), postgresUrl()]);
let names = 0;
const fresh = () => `t${process.pid}_${++names}_`;

describeBackendContract("memory", {
  isShared: false,
  setUp: async () => ({ open: memoryBackend, tearDown: async () => {} }),
});

describeBackendContract("a folder", {
  isShared: true,
  setUp: async () => {
    const folder = await mkdtemp(join(tmpdir(), "optimizer-cache-"));
    return {
      open: () => folderBackend(folder, { refreshMs: 0 }),
      tearDown: () => rm(folder, { recursive: true, force: true }),
    };
  },
});

describeBackendContract("Redis by ioredis", {
  isShared: true,
  skip: redisAt ? undefined : NOT_INSTALLED,
  setUp: async () => {
    const client = new Redis(redisAt!);
    const prefix = fresh();
    return {
      open: () => redisBackend(client, { prefix }),
      tearDown: async () => {
        await client.quit();
      },
    };
  },
});

describeBackendContract("Redis by node-redis", {
  isShared: true,
  skip: redisAt ? undefined : NOT_INSTALLED,
  setUp: async () => {
    const client = createClient({ url: redisAt! });
    await client.connect();
    const prefix = fresh();
    return {
      open: () => redisBackend(client, { prefix }),
      tearDown: async () => {
        await client.close();
      },
    };
  },
});

describeBackendContract("PostgreSQL by pg", {
  isShared: true,
  skip: postgresAt ? undefined : NOT_INSTALLED,
  setUp: async () => {
    const client = new pg.Pool({ connectionString: postgresAt! });
    const prefix = fresh();
    return {
      open: () => postgresBackend(client, { prefix }),
      tearDown: () => client.end(),
    };
  },
});

describeBackendContract("PostgreSQL by postgres.js", {
  isShared: true,
  skip: postgresAt ? undefined : NOT_INSTALLED,
  setUp: async () => {
    const client = postgres(postgresAt!, { onnotice: () => {} });
    const prefix = fresh();
    return {
      open: () => postgresBackend(client, { prefix }),
      tearDown: () => client.end(),
    };
  },
});

test("a prefix that is no name in PostgreSQL is refused", () => {
  expect(() => postgresBackend({} as never, { prefix: "a; DROP TABLE b" })).toThrow(/^prefix is/);
});

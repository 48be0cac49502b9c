import { Redis } from "ioredis";
import { createClient } from "redis";
import { afterAll, describe, it } from "vitest";
import { startRedis } from "../../scripts/services/servers.mjs";
import { type RedisClient, redisStore } from "../../src/storage/redis/redisStore.ts";
import { describeStoreContract } from "./storeContract.ts";

const server = process.env.REDIS_TEST_URL ? null : await startRedis();
const url = process.env.REDIS_TEST_URL ?? server?.url;
afterAll(() => server?.stop());

let places = 0;

function contractOver(
  name: string,
  connect: () => Promise<RedisClient & { quit(): Promise<unknown> }>,
): void {
  describeStoreContract(name, {
    setUp: async () => {
      const prefix = `test${process.pid}-${places++}:`;
      const clients = await Promise.all([1, 2, 3, 4].map(connect));
      let opened = 0;
      return {
        // Each with its own connection, as on machines of their own.
        open: (options) => redisStore(clients[opened++ % clients.length]!, { ...options, prefix }),
        tearDown: async () => {
          await Promise.all(clients.map((client) => client.quit()));
        },
      };
    },
  });
}

if (url === undefined) {
  describe("Redis", () => {
    it.skip("no redis-server is installed; see scripts/services/start.mjs", () => {});
  });
} else {
  contractOver("Redis by ioredis", async () => new Redis(url));
  contractOver("Redis by node-redis", async () => {
    const client = createClient({ url });
    client.on("error", () => {});
    await client.connect();
    return client;
  });
}

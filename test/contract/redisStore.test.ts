import { Redis } from "ioredis";
import { createClient } from "redis";
import { describe, it } from "vitest";
import { type RedisClient, redisStore } from "../../src/storage/redis/redisStore.ts";
import { NOT_INSTALLED, redisUrl } from "./servers.ts";
import { describeStoreContract } from "./storeContract.ts";

const url = await redisUrl();

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

if (url === null) {
  describe("Redis", () => {
    it.skip(`keeps the store contract ${NOT_INSTALLED}`, () => {});
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

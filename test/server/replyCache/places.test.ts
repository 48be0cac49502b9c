/** Servers that share a cache in Redis or PostgreSQL. */
import { Redis } from "ioredis";
import pg from "pg";
import { expect, test } from "vitest";
import { type CacheBackend, postgresBackend, redisBackend } from "../../../src/cache/index.js";
import { NOT_INSTALLED, postgresUrl, redisUrl } from "../../contract/servers.js";
import { pair, user } from "../support.js";

const [redisAt, postgresAt] = await Promise.all([redisUrl(), postgresUrl()]);
const prefix = `replies${process.pid}_`;

/** Asks one server, then another one before the same Ollama. */
async function share(open: () => CacheBackend): Promise<void> {
  await using first = await pair({}, { cache: { backend: open() } });
  await using second = await pair({}, { cache: { backend: open() }, upstream: first.ollama.origin });
  const call = { model: "tiny", messages: user("Why \u0000 ü?"), options: { temperature: 0 } };
  const fresh = await first.post("/api/chat", { ...call, stream: false });
  const { message } = (await fresh.json()) as { message: object };
  await expect
    .poll(async () => {
      const again = await second.post("/api/chat", { ...call, stream: false });
      const told = again.headers.get("x-optimizer-cache");
      return { told, message: ((await again.json()) as { message: object }).message };
    })
    .toEqual({ told: "hit", message });
  const removal = await second.post("/optimization/cache/invalidate", { pattern: "tiny/*" });
  expect(await removal.json()).toEqual({ removed: 1 });
  const anew = await first.post("/api/chat", call);
  expect(anew.headers.get("x-optimizer-cache")).toBe("miss");
  await anew.text();
}

test.skipIf(!redisAt)(`servers share replies in Redis ${redisAt ? "" : NOT_INSTALLED}`, async () => {
  const client = new Redis(redisAt!);
  await share(() => redisBackend(client, { prefix }));
  await client.quit();
});

test.skipIf(!postgresAt)(
  `servers share replies in PostgreSQL ${postgresAt ? "" : NOT_INSTALLED}`,
  async () => {
    const client = new pg.Pool({ connectionString: postgresAt! });
    await share(() => postgresBackend(client, { prefix }));
    await client.end();
  },
);

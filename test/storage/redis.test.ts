/** What only happens to a Redis: it is emptied, its client prefixes keys, a machine is cut off from it for days. */
import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";
import { afterAll, describe, expect, it, vi } from "vitest";
import { redisStore } from "../../src/storage/redis/redisStore.ts";
import { collect, request, rule } from "../contract/records.ts";
import { NOT_INSTALLED, redisUrl } from "../contract/servers.ts";

const DAY = 24 * 60 * 60 * 1000;
const url = await redisUrl();

describe.skipIf(url === null)(`a store in Redis ${url === null ? NOT_INSTALLED : ""}`, () => {
  const prefix = (name: string) => `redis-test-${process.pid}-${name}:`;
  const connect = (options = {}) => new Redis(url!, { lazyConnect: true, ...options });
  const client = connect();
  afterAll(async () => {
    await client.quit();
  });

  it("begins anew when the server comes back empty", async () => {
    const store = redisStore(client, { prefix: prefix("emptied"), pollMs: 20 });
    await store.merge("rules", rule("old"));
    // It looks for changes before and after.
    await sleep(100);
    await client.del(await client.keys(`${prefix("emptied")}*`));
    await vi.waitFor(() => expect(store.get("rules", "old")).toBeUndefined(), 5000);
    await Promise.all([store.merge("rules", rule("new")), store.append(request("q"))]);
    expect([...store.list("rules")].map(({ id }) => id)).toEqual(["new"]);
    expect(await collect(store.requests())).toEqual([request("q")]);
    expect(await client.hget(`${prefix("emptied")}meta`, "schemaVersion")).toBe("1");
    await store.close();
  });

  it("begins anew also when the server was emptied and filled again between two looks", async () => {
    const store = redisStore(client, { prefix: prefix("refilled"), pollMs: 300 });
    await Promise.all(["a", "b"].map((id) => store.merge("rules", rule(id))));
    const keys = await client.keys(`${prefix("refilled")}*`);
    await client.del(keys);
    const other = redisStore(client, { prefix: prefix("refilled") });
    await Promise.all(["c", "d", "e"].map((id) => other.merge("rules", rule(id))));
    await vi.waitFor(
      () => expect([...store.list("rules")].map(({ id }) => id).sort()).toEqual(["c", "d", "e"]),
      5000,
    );
    await Promise.all([store.close(), other.close()]);
  });

  it("keeps stores of clients with different key prefixes apart", async () => {
    const clients = ["one", "two"].map((name) => connect({ keyPrefix: prefix(name) }));
    const [one, two] = clients.map((each) => redisStore(each));
    await one!.merge("rules", rule("one"));
    await one!.append(request("one"));
    await two!.ready();
    expect([...two!.list("rules")]).toEqual([]);
    expect(await collect(two!.requests())).toEqual([]);
    expect(await client.exists(`${prefix("one")}optimizer:v1:doc:rules one`)).toBe(1);
    await Promise.all([one!.close(), two!.close()]);
    await Promise.all(clients.map((each) => each.quit()));
  });

  it("forgets what others removed while this machine was cut off for days", async () => {
    let days = 0;
    let isCutOff = false;
    let refused = 0;
    const now = () => Date.now() + days * DAY;
    const reach = {
      call: (command: string, ...words: string[]) => {
        if (!isCutOff) return client.call(command, ...words);
        refused++;
        return Promise.reject(new Error("no route"));
      },
    };
    const far = redisStore(reach, { prefix: prefix("cut"), now, pollMs: 20 });
    await far.merge("rules", rule("r"));
    isCutOff = true;
    const near = redisStore(client, { prefix: prefix("cut"), now, pollMs: 20 });
    await near.remove("rules", "r");
    days = 2;
    // The trace of the removal goes too.
    await vi.waitFor(async () => expect(await client.exists(`${prefix("cut")}v1:changes`)).toBe(0), 5000);
    const before = refused;
    await vi.waitFor(() => expect(refused).toBeGreaterThan(before + 2), 5000);
    isCutOff = false;
    await vi.waitFor(() => expect(far.get("rules", "r")).toBeUndefined(), 5000);
    await Promise.all([far.close(), near.close()]);
  });
});

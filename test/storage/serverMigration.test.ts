import { Redis } from "ioredis";
import postgres from "postgres";
import { afterAll, describe, expect, it } from "vitest";
import type { StoredRecord } from "../../src/records.ts";
import type { Migration } from "../../src/storage/migrations/index.ts";
import { postgresStoreOf } from "../../src/storage/postgres/postgresStore.ts";
import { redisStoreOf } from "../../src/storage/redis/redisStore.ts";
import type { OptimizerStore } from "../../src/storage/store.ts";
import { collect, request, rule, template } from "../contract/records.ts";
import { NOT_INSTALLED, postgresUrl, redisUrl } from "../contract/servers.ts";

const toTwo: Migration = {
  to: 2,
  document: (kind, document) =>
    kind === "rules" ? null : ({ ...document, name: document.id } as StoredRecord),
  request: (old) => ({ ...old, model: old.model.toUpperCase() }),
};

interface Server {
  open(prefix: string, schemaVersion: number, steps?: readonly Migration[]): OptimizerStore;
  /** Names of everything under a prefix. */
  names(prefix: string): Promise<string[]>;
}

function describeMigrations(name: string, server: Server): void {
  let places = 0;
  const newPlace = () => `m${process.pid}_${places++}_`;
  async function filled(prefix: string): Promise<void> {
    const store = server.open(prefix, 1);
    for (let index = 0; index < 40; index++) {
      void store.merge("templates", template(`t${index}`));
      void store.append(request(`q${index}`));
    }
    void store.merge("rules", rule("r"));
    await store.close();
  }

  describe(`migration in ${name}`, () => {
    it("carries every record, stops programs with the old version, and removes the old one", async () => {
      const prefix = newPlace();
      await filled(prefix);
      const old = server.open(prefix, 1);
      await old.ready();
      const stores = [server.open(prefix, 2, [toTwo]), server.open(prefix, 2, [toTwo])];
      await Promise.all(stores.map((store) => store.merge("templates", template("t0"))));
      const fresh = server.open(prefix, 2, [toTwo]);
      await fresh.ready();
      expect([...fresh.list("templates")]).toHaveLength(40);
      expect(fresh.get("templates", "t0")).toMatchObject({
        name: "t0",
        schemaVersion: 2,
        counts: { observations: 3 },
      });
      expect([...fresh.list("rules")]).toEqual([]);
      const requests = await collect(fresh.requests());
      expect(requests).toHaveLength(40);
      expect(requests[0]).toMatchObject({ model: "QWEN3:8B", schemaVersion: 2 });
      void old.append(request("late"));
      await expect(old.flush()).rejects.toMatchObject({ code: "STORE_MIGRATED" });
      await Promise.allSettled([old, ...stores, fresh].map((store) => store.close()));
      expect(
        (await server.names(prefix)).filter((each) => /v1[:_](requests|documents|doc)/.test(each)),
      ).toEqual([]);
    });

    it("leaves the old version as it was when a step fails", async () => {
      const prefix = newPlace();
      await filled(prefix);
      const broken: Migration = {
        ...toTwo,
        request: () => {
          throw new Error("a defect in the step");
        },
      };
      const store = server.open(prefix, 2, [broken]);
      await expect(store.ready()).rejects.toThrow("a defect in the step");
      await store.close().catch(() => {});
      const old = server.open(prefix, 1);
      await old.merge("rules", rule("r"));
      expect([...old.list("templates")]).toHaveLength(40);
      expect(old.get("rules", "r")?.counts.total).toBe(2);
      expect(await collect(old.requests())).toHaveLength(40);
      await old.close();
    });

    it("is refused when a newer version wrote the store, and that is left as it is", async () => {
      const prefix = newPlace();
      await filled(prefix);
      const newer = server.open(prefix, 2, [toTwo]);
      await newer.ready();
      await newer.close();
      const before = await server.names(prefix);
      const store = server.open(prefix, 1);
      await expect(store.ready()).rejects.toMatchObject({ code: "STORE_NEWER" });
      await expect(store.append(request("q"))).rejects.toMatchObject({ code: "STORE_NEWER" });
      await store.close().catch(() => {});
      expect(await server.names(prefix)).toEqual(before);
    });
  });
}

const [redisAt, postgresAt] = await Promise.all([redisUrl(), postgresUrl()]);
if (redisAt === null) it.skip(`migration in Redis ${NOT_INSTALLED}`, () => {});
else {
  const client = new Redis(redisAt);
  afterAll(() => client.quit());
  describeMigrations("Redis", {
    open: (prefix, schemaVersion, steps = []) =>
      redisStoreOf({ schemaVersion, migrations: steps }, client, prefix),
    names: async (prefix) => (await client.keys(`${prefix}*`)).sort(),
  });
}
if (postgresAt === null) it.skip(`migration in PostgreSQL ${NOT_INSTALLED}`, () => {});
else {
  const sql = postgres(postgresAt, { max: 4, onnotice: () => {} });
  afterAll(() => sql.end());
  describeMigrations("PostgreSQL", {
    open: (prefix, schemaVersion, steps = []) =>
      postgresStoreOf({ schemaVersion, migrations: steps }, sql, prefix),
    names: async (prefix) => {
      const rows = await sql`SELECT relname AS name FROM pg_class UNION ALL SELECT proname FROM pg_proc`;
      return rows
        .map(({ name }) => String(name))
        .filter((name) => name.startsWith(prefix))
        .sort();
    },
  });
}

/** Random programs over several stores in one place, against a model of three maps. */
import { join } from "node:path";
import fc from "fast-check";
import { Redis } from "ioredis";
import postgres from "postgres";
import { describe, expect, it, vi } from "vitest";
import type { JsonStoreOptions } from "../../src/storage/json/openJsonStore.ts";
import { postgresStore } from "../../src/storage/postgres/postgresStore.ts";
import { redisStore } from "../../src/storage/redis/redisStore.ts";
import type { OptimizerStore } from "../../src/storage/store.ts";
import { collect, request, time } from "../contract/records.ts";
import { NOT_INSTALLED, postgresUrl, redisUrl } from "../contract/servers.ts";
import { temporaryFolders } from "./temporaryFolder.ts";

const folders = temporaryFolders();
const STORES = 3;
const [redisAt, postgresAt] = await Promise.all([redisUrl(), postgresUrl()]);

/** `store` picks who does it. Nothing is awaited in between unless a step says so. */
type Step =
  | { readonly type: "merge"; readonly store: number; readonly id: string; readonly by: number }
  | { readonly type: "append"; readonly store: number; readonly id: string }
  | { readonly type: "flush"; readonly store: number }
  | { readonly type: "reopen"; readonly store: number }
  /** Everybody comes to rest, then one removes a document. */
  | { readonly type: "remove"; readonly store: number; readonly id: string };

const store = fc.nat(STORES - 1);
const id = fc.constantFrom("a", "b", "__proto__");
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      type: fc.constant("merge" as const),
      store,
      id,
      by: fc.integer({ min: 1, max: 5 }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ type: fc.constant("append" as const), store, id: fc.nat(30).map((n) => `q${n}`) }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("flush" as const), store }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("reopen" as const), store }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("remove" as const), store, id }) },
);

interface Model {
  readonly totals: Map<string, number>;
  readonly values: Map<string, number>;
  readonly requests: Set<string>;
}

async function run(
  steps: readonly Step[],
  open: () => OptimizerStore,
  sees: (stores: OptimizerStore[]) => Promise<void>,
): Promise<void> {
  const stores = Array.from({ length: STORES }, open);
  const model: Model = { totals: new Map(), values: new Map(), requests: new Set() };
  let clock = 0;
  for (const step of steps) {
    const chosen = stores[step.store]!;
    if (step.type === "merge") {
      clock++;
      void chosen.merge("rules", {
        id: step.id,
        updatedAt: time(clock),
        value: clock,
        counts: { total: step.by },
      });
      model.totals.set(step.id, (model.totals.get(step.id) ?? 0) + step.by);
      model.values.set(step.id, clock);
    } else if (step.type === "append") {
      // In a folder, an id is known to the process that appended it.
      if (model.requests.has(step.id)) continue;
      void chosen.append(request(step.id));
      model.requests.add(step.id);
    } else if (step.type === "flush") await chosen.flush();
    else if (step.type === "reopen") {
      await chosen.close();
      stores[step.store] = open();
    } else {
      await Promise.all(stores.map((each) => each.flush()));
      await sees(stores);
      await chosen.remove("rules", step.id);
      await sees(stores);
      model.totals.delete(step.id);
      model.values.delete(step.id);
    }
  }
  await Promise.all(stores.map((each) => each.flush()));
  const last = open();
  await last.ready();
  await sees(stores);
  for (const each of [...stores, last]) {
    const found = [...each.list("rules")];
    expect(new Map(found.map((rule) => [rule.id, rule.counts.total]))).toEqual(model.totals);
    expect(new Map(found.map((rule) => [rule.id, rule.value]))).toEqual(model.values);
  }
  expect((await collect(last.requests())).map((each) => each.id).sort()).toEqual([...model.requests].sort());
  await Promise.all([...stores, last].map((each) => each.close()));
}

/** A flush after a write of one's own reads what others wrote before it. */
async function catchUp(stores: OptimizerStore[]): Promise<void> {
  for (const each of stores) {
    await each.ready();
    await each.merge("settings", { id: "look", value: 0 });
  }
}
/** Servers tell of others' changes at a next poll: until each has heard what each said last. */
const nextPoll = async (stores: OptimizerStore[]) => {
  await Promise.all(stores.map((each) => each.ready()));
  const said = stores.map((_, index) => ({ id: `said${index}`, value: ++words }));
  await Promise.all(stores.map((each, index) => each.merge("settings", said[index]!)));
  await vi.waitFor(() => {
    for (const each of stores) {
      expect(said.map(({ id }) => each.get("settings", id)?.value)).toEqual(said.map(({ value }) => value));
    }
  }, 10_000);
};
let words = 0;

describe("any order of writes by several processes ends with exact counts and the latest fields", () => {
  it.each([
    ["without folding", {}],
    ["while the log is folded all the time", { pollMs: 1, foldMs: 1, compactBytes: 1 }],
  ] satisfies [string, JsonStoreOptions][])("in a folder, %s", { timeout: 120_000 }, async (_, options) => {
    const root = await folders.make();
    let places = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 40 }), async (steps) => {
        const folder = join(root, String(places++));
        await run(steps, () => folders.open(folder, options), catchUp);
        expect(folders.warnings).toEqual([]);
      }),
      { numRuns: 60 },
    );
  });

  it.skipIf(redisAt === null)(
    `in Redis ${redisAt === null ? NOT_INSTALLED : ""}`,
    { timeout: 120_000 },
    async () => {
      const client = new Redis(redisAt!);
      let places = 0;
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 40 }), async (steps) => {
          const prefix = `any${process.pid}-${places++}:`;
          await run(steps, () => redisStore(client, { prefix, pollMs: 5 }), nextPoll);
        }),
        { numRuns: 25 },
      );
      await client.quit();
    },
  );

  it.skipIf(postgresAt === null)(
    `in PostgreSQL ${postgresAt === null ? NOT_INSTALLED : ""}`,
    { timeout: 120_000 },
    async () => {
      const sql = postgres(postgresAt!, { max: 4, onnotice: () => {} });
      let places = 0;
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 40 }), async (steps) => {
          const prefix = `any${process.pid}_${places++}_`;
          await run(steps, () => postgresStore(sql, { prefix, pollMs: 5 }), nextPoll);
        }),
        { numRuns: 15 },
      );
      await sql.end();
    },
  );
});

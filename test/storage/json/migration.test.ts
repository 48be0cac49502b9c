import { mkdir, readdir, readFile, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import type { StoredRecord } from "../../../src/records.ts";
import { openJsonStoreOf } from "../../../src/storage/json/openJsonStore.ts";
import { composeMigrations, type Migration } from "../../../src/storage/migrations/index.ts";
import type { OptimizerStore } from "../../../src/storage/store.ts";
import { collect, request, rule, template } from "../../contract/records.ts";
import { temporaryFolders } from "../temporaryFolder.ts";

const folders = temporaryFolders();

/** What a version 2 could be: rules are no longer kept, templates have a name, requests another field. */
const toTwo: Migration = {
  to: 2,
  document: (kind, document) =>
    (kind === "rules"
      ? null
      : kind === "templates"
        ? { ...document, name: document.id }
        : document) as StoredRecord,
  request: (old) => ({ ...old, model: old.model.toUpperCase() }),
};
const future: OptimizerStore[] = [];
const openFuture = (folder: string, migrations: readonly Migration[] = [toTwo]) => {
  const store = openJsonStoreOf({ schemaVersion: 2, migrations }, folder);
  future.push(store);
  return store;
};
afterEach(async () => {
  await Promise.allSettled(future.splice(0).map((store) => store.close()));
});

async function filled(): Promise<string> {
  const folder = await folders.make();
  const store = folders.open(folder, { storeText: true });
  for (let index = 0; index < 40; index++) {
    void store.merge("templates", template(`t${index}`));
    void store.append(request(`q${index}`, { text: { prompt: "p", reply: "r" } }));
  }
  void store.merge("rules", rule("r"));
  void store.merge("settings", { id: "prompt-hash-key", value: "key" });
  await store.close();
  return folder;
}

describe("migration of a JSON store", () => {
  it("carries every record to the new version, and writes wait for it", async () => {
    const folder = await filled();
    const store = openFuture(folder);
    const appended = store.append(request("new"));
    const merged = store.merge("templates", template("t0"));
    await store.ready();
    await Promise.all([appended, merged]);
    expect([...store.list("templates")]).toHaveLength(40);
    expect(store.get("templates", "t0")).toMatchObject({
      name: "t0",
      schemaVersion: 2,
      counts: { observations: 2 },
    });
    expect([...store.list("rules")]).toEqual([]);
    expect(store.get("settings", "prompt-hash-key")?.value).toBe("key");
    const requests = await collect(store.requests());
    expect(requests).toHaveLength(41);
    expect(requests[0]).toMatchObject({
      model: "QWEN3:8B",
      schemaVersion: 2,
      text: { prompt: "p", reply: "r" },
    });
    expect((await readdir(folder)).filter((name) => name !== "lock").sort()).toEqual(["store.json", "v2"]);
  });

  it("leaves the old store as it was when it fails, and a later attempt succeeds", async () => {
    const folder = await filled();
    const broken: Migration = {
      ...toTwo,
      request: () => {
        throw new Error("a defect in the step");
      },
    };
    await expect(openFuture(folder, [broken]).ready()).rejects.toThrow("a defect in the step");
    const old = folders.open(folder);
    await old.ready();
    expect([...old.list("templates")]).toHaveLength(40);
    expect(await collect(old.requests())).toHaveLength(40);
    await old.close();
    const store = openFuture(folder);
    await store.ready();
    expect(await collect(store.requests())).toHaveLength(40);
  });

  it("begins again after a process died in the middle of it", async () => {
    const folder = await filled();
    await writeFile(join(folder, "store.json"), '{"schemaVersion":1,"kind":"store","migrating":true}');
    await mkdir(join(folder, "v2/requests"), { recursive: true });
    await writeFile(
      join(folder, "v2/requests/2025-01-01-00001.jsonl"),
      `\n${JSON.stringify(request("half"))}`,
    );
    await mkdir(join(folder, "lock"));
    const minuteAgo = new Date(Date.now() - 60_000);
    await utimes(join(folder, "lock"), minuteAgo, minuteAgo);
    const store = openFuture(folder);
    await store.ready();
    expect((await collect(store.requests())).map(({ id }) => id)).not.toContain("half");
    expect(await collect(store.requests())).toHaveLength(40);
  });

  it("lets two processes that open it at once agree on one migration", async () => {
    const folder = await filled();
    const stores = [openFuture(folder), openFuture(folder)];
    await Promise.all(stores.map((store) => store.ready()));
    await Promise.all(stores.map((store) => store.merge("templates", template("t0"))));
    const third = openFuture(folder);
    await third.ready();
    expect(third.get("templates", "t0")?.counts.observations).toBe(3);
  });

  it("makes a program with the old version stop writing, with a clear error", async () => {
    const folder = await filled();
    const old = folders.open(folder);
    await old.ready();
    await openFuture(folder).ready();
    await expect(old.append(request("late"))).rejects.toMatchObject({ code: "STORE_MIGRATED" });
    await expect(old.merge("rules", rule("late"))).rejects.toMatchObject({ code: "STORE_MIGRATED" });
    expect(JSON.parse(await readFile(join(folder, "store.json"), "utf8"))).toMatchObject({
      schemaVersion: 2,
    });
  });
});

describe("composeMigrations", () => {
  it("takes the steps that are due, in order", () => {
    const step = (to: number): Migration => ({
      to,
      document: (_, document) =>
        ({ ...document, path: `${(document as { path?: string }).path ?? ""}${to}` }) as StoredRecord,
      request: (old) => ({ ...old, id: `${old.id}${to}` }),
    });
    const steps = [step(4), step(2), step(3), step(5)];
    const document = { id: "d", schemaVersion: 2, createdAt: "", updatedAt: "", counts: {} };
    expect(composeMigrations(steps, 2, 4).document("rules", document)).toMatchObject({
      path: "34",
      schemaVersion: 4,
    });
    expect(composeMigrations(steps, 1, 3).request(request("q"))).toMatchObject({
      id: "q23",
      schemaVersion: 3,
    });
  });
});

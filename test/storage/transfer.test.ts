import { describe, expect, it } from "vitest";
import type { StoredRecord } from "../../src/records.ts";
import { memoryStore } from "../../src/storage/memory.ts";
import { DOCUMENT_KINDS, type OptimizerStore } from "../../src/storage/store.ts";
import { exportStore, importStore, type TransferProgress } from "../../src/storage/transfer.ts";
import { collect, request, rule, template, time } from "../contract/records.ts";

async function filled(): Promise<OptimizerStore> {
  const store = memoryStore();
  for (let index = 0; index < 1200; index++) void store.append(request(`q${index}`, { at: time(index) }));
  for (let index = 0; index < 30; index++) void store.merge("templates", template(`t${index}`, index));
  void store.merge("rules", rule("import r"));
  void store.merge("settings", { id: "__proto__", value: JSON.parse('{"__proto__": 1}') });
  await store.flush();
  return store;
}

const documentsOf = (store: OptimizerStore) =>
  Object.fromEntries(
    DOCUMENT_KINDS.map((kind) => [
      kind,
      [...(store.list(kind) as Iterable<StoredRecord>)]
        .filter(({ id }) => kind !== "settings" || !id.startsWith("import "))
        .sort((a, b) => (a.id < b.id ? -1 : 1)),
    ]),
  );

describe("exportStore and importStore", () => {
  it("move a whole store, and say how far they are", async () => {
    const source = await filled();
    const target = memoryStore();
    const progress: TransferProgress[] = [];
    const total = await importStore(target, exportStore(source), { onProgress: (at) => progress.push(at) });
    expect(total).toEqual({ requests: 1200, documents: 32 });
    expect(progress.length).toBeGreaterThan(2);
    expect(progress.at(-1)).toEqual(total);
    expect(documentsOf(target)).toEqual(documentsOf(source));
    expect(await collect(target.requests())).toEqual(await collect(source.requests()));
  });

  it("adds counts to what is there, keeps later fields, settings that exist and known requests", async () => {
    const source = await filled();
    const target = memoryStore();
    await target.merge("templates", { ...template("t1", 900), workingWindow: 512 });
    await target.merge("settings", { id: "__proto__", value: "mine" });
    await target.append(request("q5", { at: time(5) }));
    await importStore(target, exportStore(source));
    expect(target.get("templates", "t1")).toMatchObject({
      workingWindow: 512,
      createdAt: time(1),
      updatedAt: time(900),
      counts: { observations: 2 },
    });
    expect(target.get("settings", "__proto__")?.value).toBe("mine");
    expect(await collect(target.requests())).toHaveLength(1200);
  });

  it("refuse the same export twice", async () => {
    const target = memoryStore();
    const lines = await collect(exportStore(await filled()));
    await importStore(target, lines);
    await expect(importStore(target, lines)).rejects.toMatchObject({ code: "STORE_ALREADY_IMPORTED" });
    expect(target.get("templates", "t1")?.counts.observations).toBe(1);
  });

  it.each([
    ["ends early", (lines: string[]) => lines.slice(0, -1)],
    ["lacks a line", (lines: string[]) => lines.toSpliced(5, 1)],
    ["has half a line", (lines: string[]) => lines.toSpliced(5, 1, lines[5]!.slice(0, 40))],
    ["has no head", (lines: string[]) => lines.slice(1)],
    ["is something else", () => ['{"type":"end"}', '{"a":1}']],
    ["is empty", () => []],
  ])("refuse an export that %s", async (_, damage) => {
    const lines = damage(await collect(exportStore(await filled())));
    await expect(importStore(memoryStore(), lines)).rejects.toMatchObject({ code: "STORE_EXPORT_DAMAGED" });
  });

  it("refuse an export of a newer version before anything is written", async () => {
    const lines = await collect(exportStore(await filled(), { schemaVersion: 99 }));
    const target = memoryStore();
    await expect(importStore(target, lines)).rejects.toMatchObject({ code: "STORE_NEWER" });
    expect(await collect(target.requests())).toEqual([]);
  });

  it("carry an export of an older version to the present one", async () => {
    const lines = await collect(exportStore(await filled(), { schemaVersion: 0 }));
    const target = memoryStore();
    await importStore(target, lines, {
      migrations: [
        {
          to: 1,
          document: (kind, document) => (kind === "rules" ? null : { ...document, carried: true }),
          request: (old) => ({ ...old, model: `${old.model}-carried` }),
        },
      ],
    });
    expect([...target.list("rules")]).toEqual([]);
    expect(target.get("templates", "t1")).toMatchObject({ carried: true, schemaVersion: 1 });
    expect((await collect(target.requests({ limit: 1 })))[0]?.model).toBe("qwen3:8b-carried");
  });
});

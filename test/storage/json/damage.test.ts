import { appendFile, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it, vi } from "vitest";
import { collect, request, rule, template, time } from "../../contract/records.ts";
import { temporaryFolders } from "../temporaryFolder.ts";

const folders = temporaryFolders();

/**
 * A closed store with six of everything, folded into files. Its change log is still whole, unless it is to be
 * `compacted`: then the files alone hold the documents.
 */
async function filled(isCompacted = false): Promise<string> {
  const folder = await folders.make();
  for (const round of ["a", "b"]) {
    const store = folders.open(folder);
    for (const number of [1, 2, 3]) {
      const id = `${round}${number}`;
      void store.merge("templates", template(id));
      void store.merge("rules", rule(id));
      void store.merge("settings", { id, value: id });
      void store.append(request(id));
    }
    await store.close();
  }
  if (isCompacted) {
    await writeFile(join(folder, "v1/changes/00000002.jsonl"), "");
    await rm(join(folder, "v1/changes/00000001.jsonl"));
  }
  return folder;
}

async function findFile(folder: string, part: string): Promise<string> {
  const name = (await readdir(folder, { recursive: true })).find((each) => each.includes(part));
  if (name === undefined) throw new Error(`no file like ${part}`);
  return join(folder, name);
}

/** Flips one bit of the byte at a text's first place. */
async function flipAt(path: string, text: string, bit = 0): Promise<void> {
  const bytes = await readFile(path);
  const at = bytes.indexOf(text);
  bytes[at] = (bytes[at] ?? 0) ^ (1 << bit);
  await writeFile(path, bytes);
}

const IDS = ["a1", "a2", "a3", "b1", "b2", "b3"];

describe("a damaged store", () => {
  it.each(["requests/2", "changes/0"])("goes on after half a last line in %s", async (part) => {
    const folder = await filled();
    const path = await findFile(folder, part);
    await appendFile(path, '\n{"schemaVersion":1,"id":"half","writer":"x');
    const store = folders.open(folder);
    await store.append(request("after"));
    await store.merge("rules", rule("after"));
    await store.close();
    const again = folders.open(folder);
    await again.ready();
    expect((await collect(again.requests())).map(({ id }) => id)).toEqual([...IDS, "after"]);
    expect([...again.list("rules")].map(({ id }) => id).sort()).toEqual(["after", ...IDS].sort());
    expect(again.get("rules", "a1")?.counts.total).toBe(1);
  });

  it("loses only a request whose last byte was cut off, and nothing that comes later", async () => {
    const folder = await filled();
    const path = await findFile(folder, "requests/2");
    await truncate(path, (await readFile(path)).length - 1);
    const store = folders.open(folder);
    await store.append(request("after"));
    expect((await collect(store.requests())).map(({ id }) => id)).toEqual([...IDS.slice(0, -1), "after"]);
    expect(folders.warnings).toEqual([expect.stringContaining("is not a request")]);
  });

  it("skips a request with a flipped byte, and says where", async () => {
    const folder = await filled();
    const path = await findFile(folder, "requests/2");
    await flipAt(path, '{"schemaVersion":1,"id":"a2"');
    const store = folders.open(folder);
    expect((await collect(store.requests())).map(({ id }) => id)).toEqual(IDS.filter((id) => id !== "a2"));
    expect(folders.warnings).toEqual([expect.stringContaining(path)]);
  });

  it.each([
    ["pinnedNumCtx", "8192"],
    ["maximumNumCtx", 8192.5],
    ["models", "tiny"],
    ["models", null],
    ["ceilings", [null]],
    ["recentNeeds", {}],
  ])("sets a profile aside whose %s a person made %j, and says so", async (field, value) => {
    const folder = await filled(true);
    const path = join(folder, "v1", "profiles.json");
    const stamps = { schemaVersion: 1, createdAt: time(0), updatedAt: time(0), counts: {} };
    const documents = {
      edited: { ...stamps, id: "edited", models: ["a"], pinnedNumCtx: null, [field]: value },
      whole: { ...stamps, id: "whole", models: ["b"], pinnedNumCtx: 8192, loadMs: [1, null], ceilings: [] },
    };
    const file = { ...JSON.parse(await readFile(path, "utf8")), documents };
    await writeFile(path, JSON.stringify(file, null, 2));
    const store = folders.open(folder);
    await store.ready();
    expect([...store.list("profiles")].map(({ id }) => id)).toEqual(["whole"]);
    expect(folders.warnings).toEqual([
      expect.stringContaining(`profiles.json has ${JSON.stringify(value)} as ${field}. It is kept as`),
    ]);
  });

  it("loses one setting when its line is damaged and the change log no longer reaches back", async () => {
    const folder = await filled(true);
    await flipAt(join(folder, "v1", "settings.json"), '{"id":"a2"');
    const store = folders.open(folder);
    await store.ready();
    expect([...store.list("settings")].map(({ id }) => id)).toEqual(IDS.filter((id) => id !== "a2"));
  });

  it.each([
    ["another's name", 0],
    ["no name", 5],
  ])("loses one setting when its name became %s", async (_, bit) => {
    const folder = await filled(true);
    await flipAt(join(folder, "v1", "settings.json"), '3":{"id":"a3"', bit);
    const store = folders.open(folder);
    await store.ready();
    expect([...store.list("settings")].map(({ id }) => id)).toEqual(IDS.filter((id) => id !== "a3"));
    expect(store.get("settings", "a2")?.value).toBe("a2");
  });

  it("makes its templates again from a whole change log", async () => {
    const folder = await filled();
    await flipAt(await findFile(folder, "templates/500a"), '{"id":"a2"');
    const store = folders.open(folder);
    await store.ready();
    expect([...store.list("templates")].map(({ id }) => id).sort()).toEqual(IDS);
    expect(store.get("templates", "a2")?.counts.observations).toBe(1);
  });

  it.each([
    ["flipped", (path: string) => flipAt(path, '"documents"')],
    ["empty", (path: string) => writeFile(path, "")],
    ["cut", async (path: string) => truncate(path, (await readFile(path)).length - 5)],
    ["of another kind", (path: string) => writeFile(path, '{"documents":[]}')],
  ])("sets a %s document file aside and goes on with the rest", async (_, damage) => {
    const folder = await filled();
    const path = join(folder, "v1", "settings.json");
    await damage(path);
    const damaged = await readFile(path);
    const store = folders.open(folder);
    await store.ready();
    expect([...store.list("settings")]).toHaveLength(6);
    expect([...store.list("rules")]).toHaveLength(6);
    expect([...store.list("templates")]).toHaveLength(6);
    expect(folders.warnings).toHaveLength(1);
    expect(folders.warnings[0]).toContain("settings.json");
    await store.merge("settings", { id: "new", value: 1 });
    await store.close();
    const aside = (await readdir(join(folder, "v1"))).filter((name) =>
      name.startsWith("settings.json.damaged-"),
    );
    expect(aside).toHaveLength(1);
    expect(await readFile(join(folder, "v1", aside[0] ?? ""))).toEqual(damaged);
    const again = folders.open(folder);
    await again.ready();
    expect(again.get("settings", "new")?.value).toBe(1);
  });

  it("loses one template when a byte of it is flipped, not its shard, and never shows a wrong one", async () => {
    const folder = await filled(true);
    const path = await findFile(folder, "templates/500a");
    await flipAt(path, '{"id":"a2"');
    const store = folders.open(folder);
    await store.ready();
    expect([...store.list("templates")].map(({ id }) => id).sort()).toEqual(IDS.filter((id) => id !== "a2"));
    expect(folders.warnings).toEqual([expect.stringContaining("checksum")]);
    await store.merge("templates", template("new"));
    await store.close();
    const again = folders.open(folder);
    await again.ready();
    expect([...again.list("templates")]).toHaveLength(6);
    expect(folders.warnings).toHaveLength(1);
  });

  it("notices a flipped digit, which JSON alone would not", async () => {
    const folder = await filled();
    const path = await findFile(folder, "templates/500a");
    await flipAt(path, "128,");
    await folders.open(folder).ready();
    expect(folders.warnings).toEqual([expect.stringContaining("checksum")]);
  });

  it.each([true, false])(
    "reads templates without their index, log whole or not (%s)",
    async (isCompacted) => {
      const folder = await filled(isCompacted);
      await writeFile(join(folder, "v1/templates/index.json"), "{");
      const store = folders.open(folder);
      await store.ready();
      expect([...store.list("templates")].map(({ id }) => id).sort()).toEqual(IDS);
      expect(store.get("templates", "a1")?.counts.observations).toBe(1);
      expect(folders.warnings).toEqual([expect.stringContaining("index.json")]);
    },
  );

  it.each(["store.json", "v1/settings.json", "v1/templates/index.json"])("opens without %s", async (name) => {
    const folder = await filled();
    await rm(join(folder, name));
    const store = folders.open(folder);
    await store.ready();
    for (const kind of ["settings", "rules", "templates"] as const)
      expect([...store.list(kind)]).toHaveLength(6);
    expect(await collect(store.requests())).toHaveLength(6);
  });

  it("loses no template and counts none twice by a flipped bit of their index", {
    timeout: 60_000,
  }, async () => {
    const folder = await folders.make();
    const options = { foldMs: 0, compactBytes: 1, settleMs: 0, pollMs: 10 };
    const first = folders.open(folder, options);
    for (let index = 0; index < 3; index++) await first.merge("templates", template(`t${index}`));
    // The change log does not reach back to the beginning any more.
    await vi.waitFor(async () => {
      await first.merge("templates", template("t0"));
      expect(await readdir(join(folder, "v1/changes"))).not.toContain("00000001.jsonl");
    }, 10_000);
    const observations = first.get("templates", "t0")?.counts.observations;
    await first.close();
    const path = join(folder, "v1/templates/index.json");
    const whole = await readFile(path);
    for (let at = 0; at < whole.length; at += 7) {
      const bytes = Buffer.from(whole);
      bytes[at]! ^= 1;
      await writeFile(path, bytes);
      const store = folders.open(folder);
      await store.ready();
      expect([...store.list("templates")].map(({ id }) => id).sort(), `byte ${at}`).toEqual([
        "t0",
        "t1",
        "t2",
      ]);
      expect(store.get("templates", "t0")?.counts.observations, `byte ${at}`).toBe(observations);
      await store.close();
    }
  });

  it("says so when a file of templates is gone", async () => {
    const folder = await folders.make();
    const first = folders.open(folder);
    await first.merge("templates", template("t"));
    await first.close();
    const names = await readdir(join(folder, "v1/templates"));
    await rm(join(folder, "v1/templates", names.find((name) => name !== "index.json")!));
    const second = folders.open(folder);
    await second.ready();
    expect(folders.warnings).toEqual([expect.stringContaining("templates")]);
    // From the change log, which is whole.
    expect(second.get("templates", "t")?.counts.observations).toBe(1);
  });

  it("sets a damaged store.json aside and makes it anew", async () => {
    const folder = await filled();
    await writeFile(join(folder, "store.json"), '{"schemaVersion":');
    const store = folders.open(folder);
    await store.ready();
    expect([...store.list("rules")]).toHaveLength(6);
    expect(JSON.parse(await readFile(join(folder, "store.json"), "utf8"))).toEqual({
      schemaVersion: 1,
      kind: "store",
    });
    expect((await readdir(folder)).filter((name) => name.startsWith("store.json.damaged-"))).toHaveLength(1);
  });

  it("does not lose new changes when the change log was deleted", async () => {
    const folder = await filled();
    await rm(join(folder, "v1/changes"), { recursive: true });
    const store = folders.open(folder);
    await store.merge("rules", rule("a1"));
    await store.merge("rules", rule("new"));
    await store.close();
    const again = folders.open(folder);
    await again.ready();
    expect(again.get("rules", "a1")?.counts.total).toBe(2);
    expect(again.get("rules", "new")).toBeDefined();
  });
});

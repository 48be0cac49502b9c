import { existsSync } from "node:fs";
import { chmod, mkdir, readdir, readFile, rename, rm, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it, vi } from "vitest";
import { openJsonStore } from "../../../src/storage/json/openJsonStore.ts";
import { request, rule, template } from "../../contract/records.ts";
import { temporaryFolders } from "../temporaryFolder.ts";

const folders = temporaryFolders();

describe("the folder of a JSON store", () => {
  it("is private, with every file in it", async () => {
    const folder = join(await folders.make(), "new", "store");
    const store = openJsonStore(folder);
    await store.merge("templates", template("t"));
    await store.merge("rules", rule("r"));
    await store.append(request("q"));
    await store.close();
    expect((await stat(folder)).mode & 0o777).toBe(0o700);
    const names = await readdir(folder, { recursive: true });
    expect(names.length).toBeGreaterThan(8);
    for (const name of names) {
      const stats = await stat(join(folder, name));
      expect(stats.mode & 0o777, name).toBe(stats.isDirectory() ? 0o700 : 0o600);
    }
  });

  it("is made private when it was open to others", async () => {
    const folder = await folders.make();
    await chmod(folder, 0o755);
    folders.open(folder);
    expect((await stat(folder)).mode & 0o777).toBe(0o700);
  });

  it("holds documents a person can read, each file with its schema version", async () => {
    const folder = await folders.make();
    const store = folders.open(folder);
    await store.merge("templates", template("t"));
    await store.merge("rules", rule("r"));
    await store.append(request("q"));
    await store.close();
    const names = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith(".json"));
    expect(names).toEqual(expect.arrayContaining(["store.json", "v1/rules.json", "v1/templates/index.json"]));
    for (const name of names) {
      expect(JSON.parse(await readFile(join(folder, name), "utf8")), name).toMatchObject({
        schemaVersion: 1,
      });
    }
    const rules = JSON.parse(await readFile(join(folder, "v1/rules.json"), "utf8"));
    expect(rules.documents.r).toMatchObject({ parameter: "numBatch", counts: { success: 1, total: 1 } });
    const shard = names.find((name) => name.startsWith("v1/templates/500a1f067a9f-1")) ?? "";
    expect(JSON.parse(await readFile(join(folder, shard), "utf8")).documents.t).toMatchObject({
      workingWindow: 128,
    });
    const [segment = ""] = await readdir(join(folder, "v1/requests"));
    const line = (await readFile(join(folder, "v1/requests", segment), "utf8")).trim();
    expect(JSON.parse(line)).toEqual(request("q"));
  });

  it("takes edits that a person made while no program ran", async () => {
    const folder = await folders.make();
    const first = folders.open(folder);
    await first.merge("rules", rule("r"));
    await first.close();
    const path = join(folder, "v1/rules.json");
    const rules = JSON.parse(await readFile(path, "utf8"));
    rules.documents.r.value = 1024;
    await writeFile(path, JSON.stringify(rules, null, 4));
    const second = folders.open(folder);
    await second.ready();
    expect(second.get("rules", "r")?.value).toBe(1024);
    expect(folders.warnings).toEqual([]);
  });

  it("is refused when it is a link", async () => {
    const folder = await folders.make();
    await mkdir(join(folder, "real"));
    await symlink(join(folder, "real"), join(folder, "link"));
    expect(() => openJsonStore(join(folder, "link"))).toThrow(
      expect.objectContaining({ code: "STORE_FOLDER_LINK" }),
    );
    expect(await readdir(join(folder, "real"))).toEqual([]);
  });

  it.each(["changes", "requests", "templates"])(
    "is refused when its %s folder leads elsewhere",
    async (name) => {
      const [folder, elsewhere] = [await folders.make(), await folders.make()];
      await mkdir(join(folder, "v1"), { mode: 0o700 });
      await symlink(elsewhere, join(folder, "v1", name));
      expect(() => openJsonStore(folder)).toThrow(expect.objectContaining({ code: "STORE_FOLDER_LINK" }));
    },
  );

  it("does not append through a link", async () => {
    const folder = await folders.make();
    const target = join(await folders.make(), "target");
    await writeFile(target, "precious");
    await folders.open(folder).close();
    await symlink(target, join(folder, "v1/changes/00000001.jsonl"));
    const store = folders.open(folder);
    await expect(store.merge("rules", rule("r"))).rejects.toMatchObject({ code: "STORE_WRITE_FAILED" });
    expect(await readFile(target, "utf8")).toBe("precious");
  });

  it("is refused when it holds something else, and that is left as it is", async () => {
    const folder = await folders.make();
    await writeFile(join(folder, "thesis.doc"), "");
    expect(() => openJsonStore(folder)).toThrow(/thesis\.doc/);
    expect(() => openJsonStore(folder)).toThrow(expect.objectContaining({ code: "STORE_FOLDER_FOREIGN" }));
    expect(await readdir(folder)).toEqual(["thesis.doc"]);
  });

  it("keeps its rights when it is refused", async () => {
    const folder = await folders.make();
    await writeFile(join(folder, "thesis.doc"), "");
    await chmod(folder, 0o755);
    expect(() => openJsonStore(folder)).toThrow(expect.objectContaining({ code: "STORE_FOLDER_FOREIGN" }));
    expect((await stat(folder)).mode & 0o777).toBe(0o755);
  });

  it.each(["v1/settings.json", "store.json"])("does not write %s through a link", async (name) => {
    const folder = await folders.make();
    const first = folders.open(folder);
    await first.merge("settings", { id: "k", value: "old" });
    await first.close();
    const target = join(await folders.make(), "target");
    await rename(join(folder, name), target);
    const before = await readFile(target, "utf8");
    await symlink(target, join(folder, name));
    if (name === "store.json") await writeFile(target, "precious");
    const second = folders.open(folder);
    await second.merge("settings", { id: "k", value: "new" }).catch(() => {});
    await second.close().catch(() => {});
    expect(await readFile(target, "utf8")).toBe(name === "store.json" ? "precious" : before);
  });

  it("gives a clear error when it is removed while a program uses it", async () => {
    const folder = join(await folders.make(), "store");
    const store = folders.open(folder, { pollMs: 20 });
    await store.append(request("a"));
    // The store may be at work in it.
    await rm(folder, { recursive: true, maxRetries: 10 });
    const failure = {
      code: expect.stringMatching(/^STORE_(READ|WRITE)_FAILED$/),
      message: expect.stringContaining(folder),
    };
    await vi.waitFor(() => expect(store.append(request("b"))).rejects.toMatchObject(failure), 10_000);
    await expect(store.merge("rules", rule("b"))).rejects.toMatchObject(failure);
    expect(store.get("rules", "b")).toBeDefined();
  });

  it.each(["v1/settings.json", "v1/templates/index.json", "store.json"])(
    "names %s when that cannot be read",
    async (name) => {
      const folder = await folders.make();
      await folders.open(folder).close();
      await rm(join(folder, name), { force: true });
      await mkdir(join(folder, name));
      const failure = { code: "STORE_READ_FAILED", message: expect.stringContaining(name) };
      await expect((async () => folders.open(folder).ready())()).rejects.toMatchObject(failure);
    },
  );

  it("may lie in a repository and be looked at by a file manager", async () => {
    const folder = await folders.make();
    await writeFile(join(folder, ".gitignore"), "*");
    await writeFile(join(folder, ".DS_Store"), "");
    await folders.open(folder).ready();
  });

  it("is refused when it is a file", async () => {
    const folder = await folders.make();
    await writeFile(join(folder, "file"), "");
    for (const path of ["file", "file/below"]) {
      expect(() => openJsonStore(join(folder, path))).toThrow(
        expect.objectContaining({ code: "STORE_NOT_A_FOLDER" }),
      );
    }
  });

  it("is refused, and left as it is, when a newer version wrote it", async () => {
    const folder = await folders.make();
    const store = folders.open(folder);
    await store.merge("rules", rule("r"));
    await store.close();
    await writeFile(join(folder, "store.json"), '{"schemaVersion":2,"kind":"store"}');
    await rename(join(folder, "v1"), join(folder, "v2"));
    expect(() => openJsonStore(folder)).toThrow(/schema version 2.*knows up to 1/);
    expect(() => openJsonStore(folder)).toThrow(expect.objectContaining({ code: "STORE_NEWER" }));
    expect(existsSync(join(folder, "v1"))).toBe(false);
    expect((await readdir(folder)).sort()).toEqual(["store.json", "v2"]);
  });
});

it.skipIf(process.platform !== "linux")("a folder that nobody can make is refused at once", () => {
  expect(() => folders.open("/proc/nothing/store")).toThrow(
    expect.objectContaining({ code: "STORE_WRITE_FAILED" }),
  );
});

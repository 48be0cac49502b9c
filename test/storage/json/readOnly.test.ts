import { chmod, chown, mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { request, rule } from "../../contract/records.ts";
import { buildChildren, ended } from "../childProcess.ts";
import { temporaryFolders } from "../temporaryFolder.ts";
import { canMountTmpfs, mountTmpfs, remountReadOnly, unmount } from "../tmpfs.ts";

const folders = temporaryFolders();
const NOBODY = 65_534;

it("can read a store it may not write, refuses writes with a clear error, and falls back to memory by default", async () => {
  const folder = await folders.make();
  const store = folders.open(join(folder, "store"));
  await store.merge("rules", rule("r"));
  await store.append(request("q"));
  await store.close();
  const isRoot = process.getuid?.() === 0;
  const names = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = [folder, ...names.map((entry) => join(entry.parentPath, entry.name))];
  const isFolder = (path: string) =>
    path === folder ||
    names.some((entry) => entry.isDirectory() && join(entry.parentPath, entry.name) === path);
  for (const path of paths) {
    if (isRoot) await chown(path, NOBODY, NOBODY);
    await chmod(path, isFolder(path) ? 0o500 : 0o400);
  }
  const children = buildChildren();
  try {
    const { output, errors } = await ended(
      children.start("readOnly", folder, ...(isRoot ? [String(NOBODY)] : [])),
    );
    expect(errors).toBe("");
    const result = JSON.parse(output);
    expect(result).toMatchObject({
      read: 1,
      requests: 1,
      merged: "STORE_READ_ONLY",
      appended: "STORE_READ_ONLY",
      visible: true,
      made: "STORE_READ_ONLY",
      fallback: "memory",
    });
    expect(result.warnings.length).toBeLessThanOrEqual(4);
  } finally {
    children.remove();
    for (const path of paths) await chmod(path, 0o700);
  }
});

const canMount = canMountTmpfs();
it.skipIf(!canMount)(
  canMount
    ? "names a file system that is read-only, for a new store and for one that is there"
    : "a read-only file system (skipped: no right to mount a tmpfs)",
  async () => {
    const disk = join(await folders.make(), "disk");
    await mkdir(disk);
    mountTmpfs(disk);
    try {
      const store = folders.open(join(disk, "store"));
      await store.merge("rules", rule("r"));
      await store.close();
      remountReadOnly(disk);
      const refused = { code: "STORE_READ_ONLY", message: expect.stringContaining("read-only") };

      expect(() => folders.open(join(disk, "new", "store"))).toThrow(expect.objectContaining(refused));
      const again = folders.open(join(disk, "store"));
      await again.ready();
      expect(again.get("rules", "r")?.counts.total).toBe(1);
      await expect(again.merge("rules", rule("r"))).rejects.toMatchObject(refused);
      await expect(again.append(request("q"))).rejects.toMatchObject(refused);
    } finally {
      unmount(disk);
    }
  },
);

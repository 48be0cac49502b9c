import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { folderBackend } from "../../src/cache/index.js";
import { buildChildren } from "../storage/childProcess.js";

const programs = buildChildren();
afterAll(() => programs.remove());

test("three programs that store and rewrite the files of one folder lose nothing of each other", async () => {
  const folder = mkdtempSync(join(tmpdir(), "optimizer-cache-"));
  try {
    const names = ["a", "b", "c"];
    const codes = await Promise.all(
      names.map(async (name) => (await once(programs.start("cacheWriter", folder, name), "exit"))[0]),
    );
    expect(codes).toEqual([0, 0, 0]);
    const backend = folderBackend(folder);
    for (const name of names) {
      for (let key = 0; key < 200; key++) {
        const found = await backend.get(`${name}/${key}`);
        expect(found?.value, `${name}/${key}`).toBe(JSON.stringify("x".repeat(300) + (1_800 + key)));
      }
    }
    expect(await backend.size()).toMatchObject({ entries: 600 });
    // Six thousand lines were written; most of them are gone.
    expect(readdirSync(join(folder, "cache")).length).toBeLessThan(8);
    await backend.close();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

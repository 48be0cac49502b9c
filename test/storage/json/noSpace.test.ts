import { appendFile, mkdir, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { collect, request, rule } from "../../contract/records.ts";
import { temporaryFolders } from "../temporaryFolder.ts";
import { canMountTmpfs, mountTmpfs, unmount } from "../tmpfs.ts";

const folders = temporaryFolders();

const canMount = canMountTmpfs();

describe.skipIf(!canMount)(
  canMount ? "a full disk" : "a full disk (skipped: no right to mount a tmpfs)",
  () => {
    let disk: string;
    beforeEach(async () => {
      disk = join(await folders.make(), "disk");
      await mkdir(disk);
      mountTmpfs(disk);
    });
    afterEach(() => {
      unmount(disk);
    });

    async function fill(): Promise<void> {
      for (let bytes = 64 * 1024; bytes >= 1; bytes = Math.floor(bytes / 2)) {
        while (
          await appendFile(join(disk, "ballast"), Buffer.alloc(bytes)).then(
            () => true,
            () => false,
          )
        ) {}
      }
    }

    it("gives a clear error, stays usable in memory, and stores everything once there is room", async () => {
      const store = folders.open(join(disk, "store"));
      await store.append(request("q0"));
      await store.merge("rules", rule("r"));
      await fill();
      // Fills the rest of the last page, so that a write ends in the middle of a line.
      const results = await Promise.allSettled(
        Array.from({ length: 20 }, (_, index) => store.append(request(`q${index + 1}`))),
      );
      const failed = results.filter((result) => result.status === "rejected");
      expect(failed.length).toBeGreaterThan(0);
      expect(failed[0]?.reason).toMatchObject({
        code: "STORE_FULL",
        message: expect.stringContaining("disk is full"),
      });
      const merges = await Promise.allSettled(
        Array.from({ length: 20 }, () => store.merge("rules", rule("r"))),
      );
      expect(merges.some(({ status }) => status === "rejected")).toBe(true);
      expect(store.get("rules", "r")?.counts.total).toBe(21);
      await rm(join(disk, "ballast"));
      await store.flush();
      await store.close();
      const again = folders.open(join(disk, "store"));
      await again.ready();
      expect((await collect(again.requests())).map(({ id }) => id)).toEqual(
        Array.from({ length: 21 }, (_, index) => `q${index}`),
      );
      expect(again.get("rules", "r")?.counts.total).toBe(21);
    });

    it("is refused with a clear error when nothing fits at all", async () => {
      await writeFile(join(disk, "ballast"), "");
      await fill();
      let error: unknown;
      try {
        const store = folders.open(join(disk, "store"));
        await store.append(request("q"));
      } catch (caught) {
        error = caught;
      }
      expect(error).toMatchObject({ code: "STORE_FULL" });
      expect((await stat(join(disk, "ballast"))).size).toBeGreaterThan(500_000);
    });
  },
);

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach } from "vitest";
import { type JsonStoreOptions, openJsonStore } from "../../src/storage/json/openJsonStore.ts";
import type { OptimizerStore } from "../../src/storage/store.ts";

/** Folders for the tests of one file; after each test stores are closed and folders removed. */
export function temporaryFolders(): {
  make(): Promise<string>;
  /** Opens a store that is closed after the test; `warnings` collects what it logs. */
  open(folder: string, options?: JsonStoreOptions): OptimizerStore;
  readonly warnings: string[];
} {
  const folders: string[] = [];
  const stores: OptimizerStore[] = [];
  const warnings: string[] = [];
  afterEach(async () => {
    await Promise.allSettled(stores.splice(0).map((store) => store.close()));
    await Promise.all(folders.splice(0).map((folder) => rm(folder, { recursive: true, force: true })));
    warnings.length = 0;
  });
  return {
    warnings,
    make: async () => {
      const folder = await mkdtemp(join(tmpdir(), "optimizer-store-"));
      folders.push(folder);
      return folder;
    },
    open: (folder, options) => {
      const store = openJsonStore(folder, {
        logger: { warn: (message) => warnings.push(message) },
        ...options,
      });
      stores.push(store);
      return store;
    },
  };
}

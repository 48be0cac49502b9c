/** Carries a folder to a newer schema version, beside the old one, and switches in one step. */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { OptimizerError } from "../../errors.js";
import type { Migration } from "../migrations/index.js";
import { migrateStore } from "../migrations/migrateStore.js";
import type { OptimizerStore } from "../store.js";
import { syncFolder } from "./folder.js";
import { underLock } from "./lock.js";
import { readStoreFile, writeStoreFile } from "./storeFile.js";

/** Another process may be carrying the store; a large one takes a while. */
const LOCK_WAIT_MS = 120_000;
/** Writers look at `store.json` before every commit; the last one under way ends within this time. */
const WRITERS_STOP_MS = 500;

export interface FolderMigration {
  readonly folder: string;
  readonly to: number;
  readonly steps: readonly Migration[];
  /** Opens the part of the folder that holds one version. */
  open(schemaVersion: number): OptimizerStore;
}

/** @throws OptimizerError `STORE_MIGRATION_FAILED`, `STORE_LOCKED` */
export async function migrateFolder({ folder, to, steps, open }: FolderMigration): Promise<void> {
  const wasLocked = await underLock(folder, LOCK_WAIT_MS, async () => {
    const { file } = readStoreFile(folder);
    const from = file?.schemaVersion ?? to;
    // A newer package began to carry the store away and died: we have its lock, so it is as it was.
    if (from === to && file?.migrating) await writeStoreFile(folder, { schemaVersion: to, kind: "store" });
    if (from >= to) return;
    const place = (version: number) => join(folder, `v${version}`);
    await writeStoreFile(folder, { schemaVersion: from, kind: "store", migrating: true });
    try {
      await new Promise((resolve) => setTimeout(resolve, WRITERS_STOP_MS));
      // What an interrupted migration left.
      await rm(place(to), { recursive: true, force: true });
      await migrateStore({ from, to, steps, openOld: () => open(from), openNew: () => open(to) });
    } catch (error) {
      await writeStoreFile(folder, { schemaVersion: from, kind: "store" });
      throw error;
    }
    await writeStoreFile(folder, { schemaVersion: to, kind: "store" });
    await rm(place(from), { recursive: true, force: true });
    await syncFolder(folder);
  });
  if (wasLocked) return;
  throw new OptimizerError({
    code: "STORE_LOCKED",
    message: `The store ${folder} is being carried to a newer version by another program for over two minutes`,
    remedy: "Wait for it, or end that program, and open the store again.",
  });
}

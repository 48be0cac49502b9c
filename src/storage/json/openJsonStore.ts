/** The default store: a folder of plain JSON that several processes may share. */
import { randomUUID } from "node:crypto";
import { resolve } from "node:path";
import { silentLogger } from "../../logger.js";
import { SCHEMA_VERSION } from "../../records.js";
import { QueuedStore, type StoreOptions } from "../queuedStore.js";
import type { OptimizerStore } from "../store.js";
import { prepareFolder } from "./folder.js";
import { JsonBackend, type JsonMaintenance } from "./jsonBackend.js";
import { assertNotNewer, readStoreFile } from "./storeFile.js";

export interface JsonStoreOptions extends StoreOptions, JsonMaintenance {}

/**
 * Opens (or makes) a store in a folder. Returns at once; documents are read in the background, see `ready()`.
 *
 * @throws {@link OptimizerError} `STORE_NEWER`, `STORE_FOLDER_LINK`, `STORE_FOLDER_FOREIGN`, `STORE_NOT_A_FOLDER`,
 * `STORE_READ_ONLY`, `STORE_FULL`
 * @example
 * const store = openJsonStore("./optimizer");
 * await store.ready();
 * for (const template of store.list("templates")) console.log(template.id, template.counts.observations);
 */
export function openJsonStore(folder: string, options: JsonStoreOptions = {}): OptimizerStore {
  const location = resolve(folder);
  prepareFolder(location);
  const { file } = readStoreFile(location);
  if (file !== null) assertNotNewer(location, file.schemaVersion, SCHEMA_VERSION);
  const backend = new JsonBackend({
    ...options,
    logger: options.logger ?? silentLogger,
    now: options.now ?? Date.now,
    folder: location,
    schemaVersion: SCHEMA_VERSION,
    writer: randomUUID(),
  });
  backend.prepare();
  return new QueuedStore(backend, options);
}

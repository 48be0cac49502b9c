/** The default store: a folder of plain JSON that several processes may share. */
import { randomUUID } from "node:crypto";
import { resolve } from "node:path";
import { silentLogger } from "../../logger.js";
import { SCHEMA_VERSION } from "../../records.js";
import { type Migration, migrations } from "../migrations/index.js";
import { QueuedStore, type StoreOptions } from "../queuedStore.js";
import type { OptimizerStore } from "../store.js";
import { checkFolder, checkStoreOptions } from "../storeOptions.js";
import { prepareFolder } from "./folder.js";
import { JsonBackend, type JsonBackendOptions, type JsonMaintenance } from "./jsonBackend.js";
import { migrateFolder } from "./migrateFolder.js";
import { assertNotNewer, readStoreFile } from "./storeFile.js";

export interface JsonStoreOptions extends StoreOptions, JsonMaintenance {}

/**
 * Opens (or makes) a store in a folder. Returns at once; documents are read in the background, see `ready()`.
 *
 * @throws OptimizerError `OPTION_INVALID`, `STORE_NEWER`, `STORE_FOLDER_LINK`, `STORE_FOLDER_FOREIGN`, `STORE_NOT_A_FOLDER`,
 * `STORE_READ_ONLY`, `STORE_FULL`
 * @example
 * const store = openJsonStore("./optimizer");
 * await store.ready();
 * for (const template of store.list("templates")) console.log(template.id, template.counts.observations);
 */
export function openJsonStore(folder: string, options: JsonStoreOptions = {}): OptimizerStore {
  return openJsonStoreOf({ schemaVersion: SCHEMA_VERSION, migrations }, folder, options);
}

/** {@link openJsonStore} for another schema version than the package's: what a future package will do. */
export function openJsonStoreOf(
  version: { readonly schemaVersion: number; readonly migrations: readonly Migration[] },
  folder: string,
  options: JsonStoreOptions = {},
): OptimizerStore {
  checkFolder(folder);
  checkStoreOptions(options);
  const location = resolve(folder);
  prepareFolder(location);
  const { file } = readStoreFile(location);
  if (file !== null) assertNotNewer(location, file.schemaVersion, version.schemaVersion);
  const base = {
    ...options,
    logger: options.logger ?? silentLogger,
    now: options.now ?? Date.now,
    folder: location,
  };
  const open = (more: Pick<JsonBackendOptions, "schemaVersion" | "migrate" | "isMigration">) =>
    new QueuedStore(new JsonBackend({ ...base, ...more, writer: randomUUID() }), {
      ...options,
      // Text that is in an old store was redacted when it was stored.
      ...(more.isMigration ? { storeText: true, redact: [] } : {}),
    });
  const migrate = () =>
    migrateFolder({
      folder: location,
      to: version.schemaVersion,
      steps: version.migrations,
      open: (schemaVersion) => open({ schemaVersion, isMigration: true }),
    });
  const isOlder = file !== null && (file.schemaVersion < version.schemaVersion || file.migrating === true);
  return open({ schemaVersion: version.schemaVersion, ...(isOlder ? { migrate } : {}) });
}

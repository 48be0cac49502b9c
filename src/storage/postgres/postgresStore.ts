/** A store in PostgreSQL, for several machines. */
import { SCHEMA_VERSION } from "../../records.js";
import { type Migration, migrations } from "../migrations/index.js";
import { prepareServer } from "../migrations/prepareServer.js";
import { QueuedStore } from "../queuedStore.js";
import type { OptimizerStore } from "../store.js";
import { checkStoreOptions } from "../storeOptions.js";
import { PostgresBackend, type PostgresStoreOptions } from "./postgresBackend.js";
import type { PostgresClient } from "./postgresClient.js";
import { postgresPlace } from "./postgresPlace.js";
import { postgresPrefix } from "./prefix.js";

export type { PostgresStoreOptions } from "./postgresBackend.js";
export type { PostgresClient, QueryingClient, UnsafeClient } from "./postgresClient.js";

/**
 * Keeps everything in a PostgreSQL of the user's, version 13 or newer; makes its tables and functions itself. The
 * client stays open when the store is closed.
 *
 * @throws OptimizerError `OPTION_INVALID`
 * @example
 * const store = postgresStore(new Pool({ connectionString: url }), { prefix: "team_" });
 */
export function postgresStore(client: PostgresClient, options: PostgresStoreOptions = {}): OptimizerStore {
  checkStoreOptions(options);
  const prefix = postgresPrefix(options.prefix);
  return postgresStoreOf({ schemaVersion: SCHEMA_VERSION, migrations }, client, prefix, options);
}

/** {@link postgresStore} for another schema version than the package's: what a future package will do. */
export function postgresStoreOf(
  version: { readonly schemaVersion: number; readonly migrations: readonly Migration[] },
  client: PostgresClient,
  prefix: string,
  options: PostgresStoreOptions = {},
): OptimizerStore {
  const place = postgresPlace(version, client, prefix, options);
  const backend = new PostgresBackend(client, prefix, version.schemaVersion, options, () =>
    prepareServer(place),
  );
  return new QueuedStore(backend, options);
}

/** What PostgreSQL says and does about schema versions. */
import type { Migration } from "../migrations/index.js";
import { newer, RESERVED_MS, type VersionedPlace } from "../migrations/prepareServer.js";
import { QueuedStore } from "../queuedStore.js";
import { callServer } from "../serverCall.js";
import { locationOf, PostgresBackend, type PostgresStoreOptions } from "./postgresBackend.js";
import { type PostgresClient, type Row, runSql } from "./postgresClient.js";
import { dropSql, metaSql, versionPrefix } from "./schema.js";

export function postgresPlace(
  version: { readonly schemaVersion: number; readonly migrations: readonly Migration[] },
  client: PostgresClient,
  prefix: string,
  options: PostgresStoreOptions,
): VersionedPlace {
  const location = locationOf(prefix);
  const to = version.schemaVersion;
  const run = (text: string, values?: (string | number)[]): Promise<readonly Row[]> =>
    callServer(location, () => runSql(client, text, values));
  return {
    location,
    to,
    steps: version.migrations,
    begin: async () => {
      await assertNotNewer(run, prefix, to);
      await run(metaSql(prefix, to));
      const seconds = RESERVED_MS / 1000;
      const [row] = await run(`SELECT ${versionPrefix(prefix, to)}begin(${seconds}) AS found`);
      return row?.found === "busy" ? "busy" : Number(row?.found);
    },
    renew: async () => {
      const until = `(now() + ${RESERVED_MS / 1000} * interval '1 second')::text`;
      await run(`UPDATE ${prefix}meta SET value = ${until} WHERE key = 'migrating'`);
    },
    open: (schemaVersion) =>
      // Text that is in an old store was redacted when it was stored.
      new QueuedStore(new PostgresBackend(client, prefix, schemaVersion, options), {
        ...options,
        storeText: true,
        redact: [],
      }),
    drop: async (schemaVersion) => {
      await run(dropSql(prefix, schemaVersion));
    },
    end: async (schemaVersion) => {
      await run(
        `UPDATE ${prefix}meta SET value = '${schemaVersion}' WHERE key = 'schemaVersion';
         DELETE FROM ${prefix}meta WHERE key = 'migrating';`,
      );
    },
  };
}

/** Before anything is made: a newer store is left as it is. */
async function assertNotNewer(
  run: (text: string, values?: (string | number)[]) => Promise<readonly Row[]>,
  prefix: string,
  to: number,
): Promise<void> {
  const [table] = await run("SELECT to_regclass($1::text)::text AS found", [`${prefix}meta`]);
  if ((table?.found ?? null) === null) return;
  const [row] = await run(`SELECT value AS found FROM ${prefix}meta WHERE key = 'schemaVersion'`);
  if (Number(row?.found ?? 0) > to) throw newer(locationOf(prefix), Number(row?.found), to);
}

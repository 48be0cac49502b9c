/** Cached values in PostgreSQL, for several machines. */
import { type PostgresClient, type Row, runSql } from "../storage/postgres/postgresClient.js";
import { postgresPrefix } from "../storage/postgres/prefix.js";
import { callServer, onceDone } from "../storage/serverCall.js";
import { type CacheBackend, type CacheEntryInfo, entryBytes } from "./backend.js";

/** Where entries lie. */
export interface PostgresBackendOptions {
  /** Begins the name of the table. @default "optimizer_" */
  readonly prefix?: string;
}

const INFO = "key, stored_at::text, expires_at::text, used_at::text, hits::text, bytes::text";

/**
 * Keeps cached values in a PostgreSQL of the user's, version 13 or newer; makes its table itself. The client stays
 * open.
 *
 * @throws OptimizerError `OPTION_INVALID`
 * @example
 * const cache = new ExactCache({ backend: postgresBackend(new Pool({ connectionString: url })) });
 */
export function postgresBackend(client: PostgresClient, options: PostgresBackendOptions = {}): CacheBackend {
  const prefix = postgresPrefix(options.prefix);
  const table = `${prefix}cache`;
  const location = `PostgreSQL "${table}"`;
  const make = onceDone(async () => {
    await runSql(client, tableSql(table));
  });
  const run = (text: string, values: readonly (string | number | null)[] = []): Promise<readonly Row[]> =>
    callServer(location, async () => {
      await make();
      return runSql(client, text, values);
    });
  return {
    location,
    async get(key) {
      const [row] = await run(`SELECT ${INFO}, value FROM ${table} WHERE key = $1`, [key]);
      return row && { ...infoOf(row), value: row.value ?? "" };
    },
    async set({ key, value, storedAt, expiresAt }) {
      await run(
        `INSERT INTO ${table} VALUES ($1, $2, $3::text::bigint, $4::text::bigint, $3::text::bigint, 0, $5::text::bigint)
         ON CONFLICT (key) DO UPDATE SET value = excluded.value, stored_at = excluded.stored_at,
           expires_at = excluded.expires_at, used_at = excluded.used_at, hits = 0, bytes = excluded.bytes`,
        [key, value, whole(storedAt), whole(expiresAt), String(entryBytes(key, value))],
      );
    },
    async touch(key, usedAt, expiresAt) {
      await run(
        `UPDATE ${table} SET hits = hits + 1, used_at = $2::text::bigint, expires_at = $3::text::bigint WHERE key = $1`,
        [key, whole(usedAt), whole(expiresAt)],
      );
    },
    async delete(keys) {
      // One text, as the two clients write arrays differently.
      const gone = await run(
        `DELETE FROM ${table} WHERE key IN (SELECT jsonb_array_elements_text($1::text::jsonb)) RETURNING 1 AS one`,
        [JSON.stringify(keys)],
      );
      return gone.length;
    },
    async *entries() {
      for (const row of await run(`SELECT ${INFO} FROM ${table} ORDER BY used_at, key`)) yield infoOf(row);
    },
    async size() {
      const [row] = await run(
        `SELECT count(*)::text AS entries, coalesce(sum(bytes), 0)::text AS bytes FROM ${table}`,
      );
      return { entries: Number(row?.entries ?? 0), bytes: Number(row?.bytes ?? 0) };
    },
    async close() {},
  };
}

/** Several programs may do it at once: the lock keeps PostgreSQL from refusing the second. */
function tableSql(table: string): string {
  return `
SELECT pg_advisory_xact_lock(hashtext('${table}'));
CREATE TABLE IF NOT EXISTS ${table} (
  key text PRIMARY KEY,
  value text NOT NULL,
  stored_at bigint NOT NULL,
  expires_at bigint,
  used_at bigint NOT NULL,
  hits bigint NOT NULL,
  bytes bigint NOT NULL
);
CREATE INDEX IF NOT EXISTS ${table}_used ON ${table} (used_at);
`;
}

const whole = (time: number | null): string | null => (time === null ? null : String(Math.round(time)));

function infoOf(row: Row): CacheEntryInfo {
  return {
    key: row.key ?? "",
    storedAt: Number(row.stored_at),
    expiresAt: row.expires_at == null ? null : Number(row.expires_at),
    usedAt: Number(row.used_at),
    hits: Number(row.hits),
    bytes: Number(row.bytes),
  };
}

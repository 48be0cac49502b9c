/** The PostgreSQL driver: merges run inside the server, numbered so that none is lost or doubled. */
import { randomUUID } from "node:crypto";
import { silentLogger } from "../../logger.js";
import type { RequestRecord, StoredRecord } from "../../records.js";
import {
  type Backend,
  byDocument,
  type Memory,
  type QueuedOperation,
  type QueuedRequest,
} from "../backend.js";
import type { Committed } from "../commitQueue.js";
import { type FlatDocument, flattenChange, unflatten } from "../flatDocument.js";
import { documentId } from "../merge.js";
import type { StoreOptions } from "../queuedStore.js";
import { startOf } from "../requestQuery.js";
import { CALL_MS, callServer, onceDone } from "../serverCall.js";
import { DOCUMENT_KINDS, type DocumentKind, type RequestQuery, type StoreAbilities } from "../store.js";
import { type PostgresClient, type Row, runSql } from "./postgresClient.js";
import { schemaSql, versionPrefix } from "./schema.js";

export interface PostgresStoreOptions extends StoreOptions {
  /** Begins the names of all tables and functions: lower case letters, digits and `_`. Default "optimizer_". */
  readonly prefix?: string;
  /** Requests older than this go. Default 90 days. */
  readonly retentionDays?: number;
  /** More requests than this go, the oldest first. Default 1,000,000. */
  readonly retentionRecords?: number;
}

const PAGE = 500;
const RETAIN_MS = 10 * 60_000;
const DAY_MS = 24 * 60 * 60 * 1000;
const COLUMNS = `kind, id, schema_version::text, created_at, updated_at, fields::text, counts::text,
  removed_at::text, tx::text`;

/** For people. */
export function locationOf(prefix: string): string {
  return `PostgreSQL, tables ${prefix}*`;
}

export class PostgresBackend implements Backend {
  readonly location: string;
  readonly abilities: StoreAbilities = { durable: true, sharedByProcesses: true, sharedByMachines: true };
  readonly schemaVersion: number;
  readonly patienceMs: number = CALL_MS;
  readonly #client: PostgresClient;
  /** Before the version is in it. */
  readonly #store: string;
  readonly #prefix: string;
  readonly #isMigration: boolean;
  readonly #options: PostgresStoreOptions;
  readonly #writer = randomUUID();
  /** Transactions before this one were seen. */
  #horizon = "0";
  /** Changes at or after the horizon that were seen: transaction by document. */
  #seen = new Map<string, string>();
  #lastPoll = 0;
  #retainAt: number;
  readonly #prepared: () => Promise<void>;
  readonly #onError = (error: Error) =>
    (this.#options.logger ?? silentLogger).debug?.(`${this.location}: ${error.message}`);

  /** @param prepare brings the store to this version; absent while carrying a store over */
  constructor(
    client: PostgresClient,
    prefix: string,
    schemaVersion: number,
    options: PostgresStoreOptions,
    prepare?: () => Promise<void>,
  ) {
    this.#client = client;
    this.#store = prefix;
    this.#prefix = versionPrefix(prefix, schemaVersion);
    this.#isMigration = prepare === undefined;
    this.#prepared = onceDone(async () => {
      await prepare?.();
      await this.#run(schemaSql(this.#store, this.schemaVersion));
    });
    this.#options = options;
    this.schemaVersion = schemaVersion;
    this.location = locationOf(prefix);
    this.#retainAt = this.#now() + 60_000;
    // A pool without a listener ends the process when its server goes away.
    if ("on" in client) client.on?.("error", this.#onError);
  }

  async load(memory: Memory): Promise<void> {
    await this.#prepared();
    this.#horizon = "0";
    this.#seen.clear();
    // Until all is read: one that broke off is begun again.
    this.#lastPoll = Number.NEGATIVE_INFINITY;
    const ids = new Map<DocumentKind, Set<string>>(DOCUMENT_KINDS.map((kind) => [kind, new Set()]));
    await this.#readChanges(memory, (kind, id) => ids.get(kind)?.add(id));
    for (const [kind, kept] of ids) memory.keepOnly(kind, kept);
    this.#lastPoll = this.#now();
  }

  async commit(operations: readonly QueuedOperation[], memory: Memory): Promise<Committed> {
    try {
      const input = JSON.stringify(operations.map(asFunctionInput));
      const sql = `SELECT ${this.#prefix}apply(${this.#isMigration}, $1, $2::text::jsonb)`;
      await this.#run(sql, [this.#writer, input]);
      const own = byDocument(operations);
      const touched = [...own.values()].map(([first]) => keyOf(first!));
      const rows = await this.#run(
        `SELECT ${COLUMNS} FROM ${this.#prefix}documents
          WHERE (kind, id) IN (SELECT kind, id FROM jsonb_to_recordset($1::text::jsonb) AS t (kind text, id text))`,
        [JSON.stringify(touched)],
      );
      const found = new Map(rows.map((row) => [`${row.kind} ${row.id}`, toDocument(row)]));
      for (const [key, group] of own) {
        const { kind, id } = keyOf(group[0]!);
        memory.put(kind, id, found.get(key) ?? null, group);
      }
      return { stored: operations.length };
    } catch (error) {
      return { stored: 0, error };
    }
  }

  async poll(memory: Memory): Promise<void> {
    const wasAway = Math.abs(this.#now() - this.#lastPoll) > DAY_MS / 2;
    // Traces of removed documents are gone after a day.
    if (wasAway) await this.load(memory);
    else await this.#readChanges(memory);
    this.#lastPoll = this.#now();
    if (this.#now() >= this.#retainAt) await this.#retain();
  }

  async append(requests: readonly QueuedRequest[]): Promise<Committed> {
    try {
      await this.#prepared();
      const rows = requests.map(({ request, text }) => ({
        id: request.id,
        at: new Date(startOf(request)).toISOString(),
        model: asColumn(request.model),
        template_id: asColumn(request.templateId),
        record: text,
      }));
      const sql = `SELECT ${this.#prefix}append(${this.#isMigration}, $1::text::jsonb)`;
      await this.#run(sql, [JSON.stringify(rows)]);
      return { stored: requests.length };
    } catch (error) {
      return { stored: 0, error };
    }
  }

  async *requests(query: RequestQuery): AsyncGenerator<RequestRecord> {
    const [order, beyond] = query.newestFirst ? ["DESC", "<"] : ["ASC", ">"];
    let left = query.limit ?? Number.POSITIVE_INFINITY;
    let last: Row = {};
    while (left > 0) {
      const rows = await this.#run(
        `SELECT at::text AS start, number::text AS place, record FROM ${this.#prefix}requests
          WHERE ($1::text IS NULL OR at >= $1::text::timestamptz) AND ($2::text IS NULL OR at < $2::text::timestamptz)
            AND ($3::text IS NULL OR model = $3::text) AND ($4::text IS NULL OR template_id = $4::text)
            AND ($5::text IS NULL OR (at, number) ${beyond} ($5::text::timestamptz, $6::text::bigint))
          ORDER BY at ${order}, number ${order} LIMIT ${Math.min(left, PAGE)}`,
        [
          query.since ?? null,
          query.until ?? null,
          asColumn(query.model),
          asColumn(query.templateId),
          last.start ?? null,
          last.place ?? null,
        ],
      );
      for (const { record } of rows) yield JSON.parse(record ?? "null") as RequestRecord;
      left -= rows.length;
      if (rows.length < PAGE) return;
      last = rows.at(-1) ?? {};
    }
  }

  async close(): Promise<void> {
    if ("off" in this.#client) this.#client.off?.("error", this.#onError);
  }

  #now(): number {
    return (this.#options.now ?? Date.now)();
  }

  #run(text: string, values: readonly (string | number | null)[] = []): Promise<readonly Row[]> {
    return callServer(this.location, () => runSql(this.#client, text, values));
  }

  async #readChanges(memory: Memory, onDocument?: (kind: DocumentKind, id: string) => void): Promise<void> {
    const rows = await this.#run(
      `SELECT pg_snapshot_xmin(pg_current_snapshot())::text AS horizon, d.*
        FROM (SELECT 1) AS one LEFT JOIN
          (SELECT ${COLUMNS} FROM ${this.#prefix}documents WHERE tx >= $1::text::xid8) AS d ON true`,
      [this.#horizon],
    );
    const seen = new Map<string, string>();
    for (const row of rows) {
      if (row.id === null || row.id === undefined) continue;
      const key = `${row.kind} ${row.id}`;
      seen.set(key, row.tx ?? "");
      const document = toDocument(row);
      if (document !== null) onDocument?.(row.kind as DocumentKind, row.id);
      if (this.#seen.get(key) === row.tx) continue;
      memory.put(row.kind as DocumentKind, row.id, document);
    }
    this.#seen = seen;
    this.#horizon = rows[0]?.horizon ?? this.#horizon;
  }

  async #retain(): Promise<void> {
    const { retentionDays = 90, retentionRecords = 1_000_000 } = this.#options;
    const p = this.#prefix;
    this.#retainAt = this.#now() + RETAIN_MS;
    // A program whose clock is ahead must not remove what others keep: by the server's clock it has to be as old, too.
    await this.#run(
      `DELETE FROM ${p}requests
        WHERE at < least($1::text::timestamptz, now() - make_interval(secs => $2::text::float8))`,
      [new Date(this.#now() - retentionDays * DAY_MS).toISOString(), String((retentionDays * DAY_MS) / 1000)],
    );
    await this.#run(
      `DELETE FROM ${p}requests WHERE number IN
        (SELECT number FROM ${p}requests ORDER BY at DESC, number DESC OFFSET $1::text::bigint)`,
      [String(retentionRecords)],
    );
    await this.#run(`DELETE FROM ${p}documents WHERE removed_at < now() - interval '1 day'`);
    await this.#run(`DELETE FROM ${p}writers WHERE seen_at < now() - interval '1 day'`);
  }
}

function keyOf({ kind, operation }: QueuedOperation): { readonly kind: DocumentKind; readonly id: string } {
  return { kind, id: documentId(operation) };
}

function asFunctionInput({ kind, operation, sequence }: QueuedOperation): object {
  const base = { sequence, kind, type: operation.type, id: documentId(operation) };
  if (operation.type === "remove") return base;
  const { schemaVersion, createdAt, updatedAt } = operation.change;
  return { ...base, schemaVersion, createdAt, updatedAt, ...flattenChange(operation.change) };
}

function toDocument(row: Row): StoredRecord | null {
  if (row.removed_at !== null) return null;
  return unflatten(
    {
      id: row.id ?? "",
      schemaVersion: Number(row.schema_version),
      createdAt: row.created_at ?? "",
      updatedAt: row.updated_at ?? "",
    },
    {
      fields: JSON.parse(row.fields ?? "{}") as FlatDocument["fields"],
      counts: JSON.parse(row.counts ?? "{}") as FlatDocument["counts"],
    },
  );
}

/** PostgreSQL keeps no NUL and no half characters; the record itself has them escaped. */
function asColumn(text: unknown): string | null {
  return typeof text !== "string" ? null : Buffer.from(text.replaceAll("\0", "")).toString();
}

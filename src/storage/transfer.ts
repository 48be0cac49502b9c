/** A whole store as one stream of JSON lines, from any driver to any other. */
import { randomUUID } from "node:crypto";
import { OptimizerError } from "../errors.js";
import { type RequestRecord, SCHEMA_VERSION, type StoredRecord } from "../records.js";
import { composeMigrations, type Migration, migrations } from "./migrations/index.js";
import { startPace } from "./pace.js";
import type { Change, DocumentKind, Documents, OptimizerStore } from "./store.js";
import { DOCUMENT_KINDS } from "./store.js";

/** How far a transfer is. */
export interface TransferProgress {
  readonly requests: number;
  readonly documents: number;
}

/** How a long export or import is followed. */
export interface TransferOptions {
  /** Called after every few hundred records and at the end. */
  readonly onProgress?: (progress: TransferProgress) => void;
}

/** How an export is taken in. */
export interface ImportOptions extends TransferOptions {
  /** Version of the target. Default the package's. */
  readonly schemaVersion?: number;
  readonly migrations?: readonly Migration[];
}

interface Head {
  readonly type: "optimizer-store";
  readonly schemaVersion: number;
  readonly exportId: string;
  readonly exportedAt: string;
}
interface Foot extends TransferProgress {
  readonly type: "end";
}
type Line =
  | Head
  | Foot
  | { readonly type: "request"; readonly request: RequestRecord }
  | { readonly type: "document"; readonly kind: DocumentKind; readonly document: StoredRecord };

const BATCH = 500;
/** A setting that says which export was imported: its counts must not be added twice. */
const IMPORTED = "import ";

/**
 * The whole store, one JSON object a line: a head, the requests, the documents, a foot with their numbers.
 *
 * @example
 * for await (const line of exportStore(store)) file.write(`${line}\n`);
 */
export async function* exportStore(
  store: OptimizerStore,
  options: TransferOptions & { readonly schemaVersion?: number } = {},
): AsyncGenerator<string> {
  await store.ready();
  await store.flush();
  const line = (value: Line) => JSON.stringify(value);
  yield line({
    type: "optimizer-store",
    schemaVersion: options.schemaVersion ?? SCHEMA_VERSION,
    exportId: randomUUID(),
    exportedAt: new Date().toISOString(),
  });
  const progress = { requests: 0, documents: 0 };
  const report = () => options.onProgress?.({ ...progress });
  for await (const request of store.requests()) {
    yield line({ type: "request", request });
    if (++progress.requests % BATCH === 0) report();
  }
  const pace = startPace();
  for (const kind of DOCUMENT_KINDS) {
    for (const document of store.list(kind)) {
      if (isImportMark(kind, document)) continue;
      yield line({ type: "document", kind, document });
      if (++progress.documents % BATCH === 0) report();
      if (pace.isDue()) await pace.rest();
    }
  }
  yield line({ type: "end", ...progress });
  report();
}

/**
 * Adds an export to a store: requests that it lacks, documents by the merge rule (counts are added), settings that
 * it lacks. Exports of older versions are carried to the present one. The same export is refused a second time; a
 * later one of the same store is not, and would count twice what both hold: it belongs into an empty store.
 *
 * @returns how many requests and documents were in the export
 * @throws OptimizerError `STORE_NEWER`, `STORE_EXPORT_DAMAGED`, `STORE_ALREADY_IMPORTED`
 * @example
 * await importStore(postgresStore(pool), exportStore(openJsonStore("./optimizer")), { onProgress: console.log });
 */
export async function importStore(
  store: OptimizerStore,
  lines: AsyncIterable<string> | Iterable<string>,
  options: ImportOptions = {},
): Promise<TransferProgress> {
  await store.ready();
  const known = new Set<string>();
  for await (const { id } of store.requests()) known.add(id);
  const version = options.schemaVersion ?? SCHEMA_VERSION;
  const progress = { requests: 0, documents: 0 };
  let head: Head | null = null;
  let steps: Pick<Migration, "document" | "request"> | null = null;
  let isWhole = false;
  let writes: Promise<unknown>[] = [];
  const settleWrites = async () => {
    await Promise.all(writes);
    writes = [];
    options.onProgress?.({ ...progress });
  };
  let number = 0;
  for await (const text of lines) {
    number++;
    if (text.trim() === "") continue;
    const line = parseLine(text, number);
    if (line.type === "optimizer-store") {
      assertReadable(line.schemaVersion, version);
      head = line;
      steps = composeMigrations(options.migrations ?? migrations, line.schemaVersion, version);
    } else if (head === null || steps === null) {
      throw damaged(`line ${number} comes before the head`);
    } else if (line.type === "request") {
      progress.requests++;
      if (!known.has(line.request.id)) writes.push(store.append(steps.request(line.request)));
    } else if (line.type === "document") {
      if (progress.documents++ === 0) await markImport(store, head.exportId);
      const document = steps.document(line.kind, line.document);
      if (document !== null) writes.push(addDocument(store, line.kind, document));
    } else {
      isWhole = line.requests === progress.requests && line.documents === progress.documents;
    }
    if (writes.length >= BATCH) await settleWrites();
  }
  await settleWrites();
  if (head === null || !isWhole) throw damaged("it ends too early or lacks lines");
  await store.merge("settings", { id: IMPORTED + head.exportId, value: "complete" });
  return progress;
}

/** Of what was imported into a store; stays with it. */
export function isImportMark(kind: DocumentKind, { id }: StoredRecord): boolean {
  return kind === "settings" && id.startsWith(IMPORTED);
}

async function markImport(store: OptimizerStore, exportId: string): Promise<void> {
  const mark = randomUUID();
  const { value } = await store.create("settings", { id: IMPORTED + exportId, value: mark });
  if (value === mark) return;
  throw new OptimizerError({
    code: "STORE_ALREADY_IMPORTED",
    message:
      value === "complete"
        ? `This export (${exportId}) was imported into ${store.location} before`
        : `An import of this export (${exportId}) into ${store.location} was interrupted`,
    remedy:
      value === "complete"
        ? "Nothing is left to do. A later export of the same store belongs into an empty one: counts would be added twice here."
        : "Import it into an empty store: its counts would be added twice here.",
  });
}

function addDocument<K extends DocumentKind>(
  store: OptimizerStore,
  kind: K,
  document: StoredRecord,
): Promise<unknown> {
  const change = document as unknown as Change<Documents[K]>;
  // A store's own settings stay: its hash key above all, or its hashes could not be compared any more.
  if (kind === "settings") return store.create(kind, change);
  const current = store.get(kind, document.id);
  if (current === undefined || current.updatedAt <= document.updatedAt) return store.merge(kind, change);
  const { id, createdAt, counts } = document;
  const { updatedAt } = current;
  return store.merge(kind, { id, createdAt, updatedAt, counts } as unknown as Change<Documents[K]>);
}

function assertReadable(found: number, known: number): void {
  if (found <= known) return;
  throw new OptimizerError({
    code: "STORE_NEWER",
    message: `The export has schema version ${found}; this package knows up to ${known}`,
    remedy: "Update langchain-ollama-optimizer. Nothing was changed.",
  });
}

function parseLine(text: string, number: number): Line {
  try {
    const value: unknown = JSON.parse(text);
    if (isLine(value)) return value;
  } catch (cause) {
    throw damaged(`line ${number} is not JSON`, cause);
  }
  throw damaged(`line ${number} is not a part of an export`);
}

function isLine(value: unknown): value is Line {
  if (typeof value !== "object" || value === null || !("type" in value)) return false;
  const line = value as Record<string, unknown>;
  const hasId = (record: unknown) =>
    typeof record === "object" && record !== null && "id" in record && typeof record.id === "string";
  switch (line.type) {
    case "optimizer-store":
      return typeof line.schemaVersion === "number" && typeof line.exportId === "string";
    case "request":
      return hasId(line.request);
    case "document":
      return DOCUMENT_KINDS.some((kind) => kind === line.kind) && hasId(line.document);
    default:
      return line.type === "end";
  }
}

function damaged(reason: string, cause?: unknown): OptimizerError {
  return new OptimizerError({
    code: "STORE_EXPORT_DAMAGED",
    message: `The export is damaged: ${reason}`,
    remedy: "Export again, and import into an empty store.",
    cause,
  });
}

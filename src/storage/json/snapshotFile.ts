/**
 * A file of documents, one a line, valid JSON as a whole. It says how far into the change log it goes (`through`),
 * so that no change is applied twice or forgotten, whenever a process dies. Template shards carry a checksum; small
 * files do not, so that a person may edit them.
 */
import { createHash } from "node:crypto";
import type { StoredRecord } from "../../records.js";
import { startPace } from "../pace.js";
import type { DocumentKind } from "../store.js";
import { misfit } from "./handWritten.js";

/** How far change log files were read: bytes by file name. */
export type Through = Readonly<Record<string, number>>;

/** What a snapshot file holds. */
export interface SnapshotFile {
  readonly schemaVersion: number;
  readonly kind: DocumentKind;
  readonly through: Through;
  /** Id and JSON text of each document. */
  documents: readonly [id: string, text: string][];
}

const FOOT = /\n\},"sha256":"([0-9a-f]{64})"\}\n$/;
const FOOT_BYTES = '\n},"sha256":""}\n'.length + 64;

/** @param withChecksum for files that nobody edits */
export function formatSnapshot(file: SnapshotFile, withChecksum: boolean): string {
  const { documents, ...head } = file;
  const lines = documents.map(([id, text]) => `${JSON.stringify(id)}:${text}`);
  const body = `${JSON.stringify(head).slice(0, -1)},"documents":{\n${lines.join(",\n")}`;
  if (!withChecksum) return `${body}\n}}\n`;
  return `${body}\n},"sha256":"${sha256(Buffer.from(body))}"}\n`;
}

/** What could be read of a file, and whether it was all and unchanged. */
export interface ReadSnapshot {
  readonly file: SnapshotFile | null;
  /** What is wrong, e.g. "is not JSON"; null when nothing is. */
  readonly damage: string | null;
}

/** Reads a snapshot file. Of a damaged one, every line that is a whole document is kept. */
export async function parseSnapshot(bytes: Buffer): Promise<ReadSnapshot> {
  const foot = FOOT.exec(bytes.toString("latin1", Math.max(0, bytes.length - FOOT_BYTES)));
  if (foot !== null && sha256(bytes.subarray(0, bytes.length - FOOT_BYTES)) === foot[1]) {
    const file = await readLines(bytes, false);
    if (file !== null) return { file, damage: null };
  }
  if (foot === null) {
    const read = parseWhole(bytes.toString("utf8"));
    if (read !== null) return read;
  }
  return {
    file: await readLines(bytes, true),
    damage: foot === null ? "is not a whole JSON document of the store" : "does not match its checksum",
  };
}

/** Without parsing the documents, when the checksum has vouched for them. */
async function readLines(bytes: Buffer, isDamaged: boolean): Promise<SnapshotFile | null> {
  const headEnd = bytes.indexOf("\n");
  const head = parseHead(`${bytes.toString("utf8", 0, Math.max(0, headEnd))}}}`);
  if (head === null) return null;
  const documents: [string, string][] = [];
  const pace = startPace();
  for (let start = headEnd + 1; start < bytes.length; ) {
    const feed = bytes.indexOf("\n", start);
    const end = feed === -1 ? bytes.length : feed;
    const line = bytes.toString("utf8", start, bytes[end - 1] === 0x2c ? end - 1 : end);
    start = end + 1;
    const key = /^"(?:[^"\\]|\\.)*":/.exec(line)?.[0];
    if (key === undefined) continue;
    const text = line.slice(key.length);
    const id = parseJson(key.slice(0, -1));
    if (typeof id === "string" && (!isDamaged || isDocumentText(text, id))) documents.push([id, text]);
    if (pace.isDue()) await pace.rest();
  }
  return { ...head, documents };
}

function parseWhole(text: string): ReadSnapshot | null {
  const value = parseJson(text);
  if (!isHead(value) || !("documents" in value)) return null;
  if (typeof value.documents !== "object" || value.documents === null) return null;
  const documents = Object.entries(value.documents);
  if (!documents.every(([id, document]) => isDocument(document) && document.id === id)) return null;
  const { schemaVersion, kind, through } = value;
  let damage: string | null = null;
  const fitting = documents.filter(([, document]) => {
    const field = misfit(document);
    if (field !== undefined) damage = `has ${JSON.stringify(document[field])} as ${field}`;
    return field === undefined;
  });
  return {
    file: {
      schemaVersion,
      kind,
      through,
      documents: fitting.map(([id, document]) => [id, JSON.stringify(document)]),
    },
    damage,
  };
}

function parseHead(text: string): Omit<SnapshotFile, "documents"> | null {
  const value = parseJson(text);
  if (!isHead(value)) return null;
  const { schemaVersion, kind, through } = value;
  return { schemaVersion, kind, through };
}

function isHead(value: unknown): value is Omit<SnapshotFile, "documents"> {
  return (
    typeof value === "object" &&
    value !== null &&
    "schemaVersion" in value &&
    typeof value.schemaVersion === "number" &&
    "kind" in value &&
    typeof value.kind === "string" &&
    "through" in value &&
    typeof value.through === "object" &&
    value.through !== null
  );
}

function isDocumentText(text: string, id: string): boolean {
  const value = parseJson(text);
  return isDocument(value) && value.id === id;
}

/** Whether a value read from a file has what every stored document has. */
export function isDocument(value: unknown): value is StoredRecord {
  return (
    typeof value === "object" &&
    value !== null &&
    "id" in value &&
    typeof value.id === "string" &&
    "createdAt" in value &&
    typeof value.createdAt === "string" &&
    "updatedAt" in value &&
    typeof value.updatedAt === "string" &&
    "counts" in value &&
    typeof value.counts === "object" &&
    value.counts !== null
  );
}

/** undefined when the text is not JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function sha256(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}

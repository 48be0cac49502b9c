/**
 * One line of a segment: what happened to a key, the check of all that follows it, and the fields, by tabs. Keys
 * and values stand as JSON texts, which hold neither tabs nor line feeds.
 */
import { createHash } from "node:crypto";

/** A value that was stored. */
export interface SetLine {
  readonly kind: "set";
  readonly key: string;
  readonly storedAt: number;
  readonly expiresAt: number | null;
}
/** Hits of a value since the last such line. */
export interface TouchLine {
  readonly kind: "touch";
  readonly key: string;
  readonly usedAt: number;
  readonly expiresAt: number | null;
  readonly hits: number;
}
/** A value that was removed, with all that was stored under its key until then. */
export interface DeleteLine {
  readonly kind: "delete";
  readonly key: string;
  readonly at: number;
}
export type SegmentLine = SetLine | TouchLine | DeleteLine;

const TAB = 9;
/** "s". */
const SET = 115;
const CHECK_LENGTH = 12;
/** "s", tab, check, tab. */
const HEAD_LENGTH = 2 + CHECK_LENGTH + 1;

export function setLine({ key, storedAt, expiresAt }: Omit<SetLine, "kind">, value: string): string {
  return checked("s", `${JSON.stringify(key)}\t${storedAt}\t${expiresAt ?? ""}\t${JSON.stringify(value)}`);
}

export function touchLine({ key, usedAt, expiresAt, hits }: Omit<TouchLine, "kind">): string {
  return checked("t", `${JSON.stringify(key)}\t${usedAt}\t${expiresAt ?? ""}\t${hits}`);
}

export function deleteLine({ key, at }: Omit<DeleteLine, "kind">): string {
  return checked("d", `${JSON.stringify(key)}\t${at}`);
}

/**
 * Reads a line without its value; null when it is damaged. The check of a stored value is left to
 * {@link storedValue}: reading 100,000 lines would take a second of hashing.
 *
 * @param line without line feed
 */
export function readLine(line: Buffer): SegmentLine | null {
  const kind = String.fromCharCode(line[0] ?? 0);
  const isSet = kind === "s";
  if (!isSet && !isWhole(line)) return null;
  const fields = fieldsOf(line, isSet ? 3 : Number.POSITIVE_INFINITY);
  const key = keyOf(fields[0]);
  if (key === null) return null;
  const [first, second, third] = [Number(fields[1]), expiry(fields[2]), Number(fields[3])];
  if (!(first >= 0) || second === undefined) return null;
  if (isSet) return { kind: "set", key, storedAt: first, expiresAt: second };
  if (kind === "t" && third >= 0) {
    return { kind: "touch", key, usedAt: first, expiresAt: second, hits: third };
  }
  return kind === "d" ? { kind: "delete", key, at: first } : null;
}

/** The value of a stored line; null when any byte of the line is not what was written. */
export function storedValue(line: Buffer, key: string): string | null {
  if (line[0] !== SET || !isWhole(line)) return null;
  const fields = line.toString("utf8", HEAD_LENGTH).split("\t");
  return keyOf(fields[0]) === key && fields[3] !== undefined ? (JSON.parse(fields[3]) as string) : null;
}

function checked(kind: string, fields: string): string {
  return `${kind}\t${checkOf(fields)}\t${fields}`;
}

function isWhole(line: Buffer): boolean {
  if (line[1] !== TAB || line[HEAD_LENGTH - 1] !== TAB) return false;
  return line.toString("latin1", 2, 2 + CHECK_LENGTH) === checkOf(line.subarray(HEAD_LENGTH));
}

/** Against damage, not against forgery. */
function checkOf(fields: string | Buffer): string {
  return createHash("sha1").update(fields).digest("hex").slice(0, CHECK_LENGTH);
}

/** The first fields behind the check. */
function fieldsOf(line: Buffer, most: number): string[] {
  const fields: string[] = [];
  for (let start = HEAD_LENGTH; fields.length < most && start <= line.length; ) {
    const tab = line.indexOf(TAB, start);
    const end = tab === -1 ? line.length : tab;
    fields.push(line.toString("utf8", start, end));
    start = end + 1;
  }
  return fields;
}

function keyOf(field: string | undefined): string | null {
  try {
    const key: unknown = JSON.parse(field ?? "");
    return typeof key === "string" ? key : null;
  } catch {
    return null;
  }
}

/** undefined when it is none. */
function expiry(field: string | undefined): number | null | undefined {
  if (field === undefined || field === "") return null;
  const time = Number(field);
  return time >= 0 ? time : undefined;
}

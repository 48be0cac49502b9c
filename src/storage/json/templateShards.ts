/**
 * Templates: 10,000 of them are 8-35 MB, too much for one file. Each snapshot is a set of shards of about 1 MB that
 * nobody changes afterwards, and an index that names them; replacing the index replaces the whole set at once.
 */
import { createHash, randomBytes } from "node:crypto";
import { readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import type { StoredRecord } from "../../records.js";
import { startPace } from "../pace.js";
import { type RecoveryContext, setAside } from "./damaged.js";
import { durableWrite } from "./durableWrite.js";
import { syncFolder } from "./folder.js";
import { readIfPresent } from "./readIfPresent.js";
import { formatSnapshot, parseJson, parseSnapshot, type Through } from "./snapshotFile.js";

const SHARD_BYTES = 1024 * 1024;
const INDEX = "index.json";
/** The snapshot's number, and a mark of whoever wrote it: two that believe to hold the lock share no file. */
const SHARD = /^.*-\d+\.s(\d+(?:-[0-9a-f]{8})?)\.json$/;

/** The set of shards that counts. */
export interface ShardIndex {
  readonly schemaVersion: number;
  readonly kind: "templateIndex";
  /** Number of the snapshot, ascending. */
  readonly snapshot: number;
  /** How far into the log the shards go. */
  readonly through: Through;
  /** How far into the log the files of all kinds went when this was written: what is before it may go. */
  readonly folded: Through;
  readonly shards: readonly string[];
}

/** Nobody edits this file: one flipped digit in it would lose templates or count changes twice. */
interface IndexFile extends ShardIndex {
  readonly sha256: string;
}

/**
 * The index of the present snapshot; null when there is none, or when it is damaged and the change log alone makes
 * all templates again. When it is gone or damaged after that, the newest shards count.
 */
export async function readShardIndex(folder: string, context: RecoveryContext): Promise<ShardIndex | null> {
  const { index, isThere } = await readIndexFile(folder);
  if (index !== null) return index;
  if (isThere) {
    await setAside(join(folder, INDEX), "is not a whole index of templates", "it is made anew", context);
  }
  // Without an index, shards may be those of a first snapshot that was never finished.
  return (await context.isLogWhole()) ? null : rebuildIndex(folder);
}

async function readIndexFile(folder: string): Promise<{ index: ShardIndex | null; isThere: boolean }> {
  const bytes = await readIfPresent(join(folder, INDEX));
  const value = bytes === null ? undefined : parseJson(bytes.toString());
  if (!isIndex(value)) return { index: null, isThere: bytes !== null };
  const { sha256: expected, ...index } = value;
  return { index: checksum(index) === expected ? index : null, isThere: true };
}

function isIndex(value: unknown): value is IndexFile {
  return (
    typeof value === "object" &&
    value !== null &&
    "kind" in value &&
    value.kind === "templateIndex" &&
    "sha256" in value &&
    typeof value.sha256 === "string" &&
    "snapshot" in value &&
    typeof value.snapshot === "number" &&
    "through" in value &&
    typeof value.through === "object" &&
    value.through !== null &&
    "folded" in value &&
    typeof value.folded === "object" &&
    value.folded !== null &&
    "shards" in value &&
    Array.isArray(value.shards) &&
    value.shards.every((name) => typeof name === "string" && SHARD.test(name) && !/[/\\]/.test(name))
  );
}

async function rebuildIndex(folder: string): Promise<ShardIndex | null> {
  const names = (await readdir(folder)).filter((name) => SHARD.test(name));
  const newest = Math.max(0, ...names.map(snapshotOf));
  // Of two unfinished snapshots with one number, one.
  const mark = names.filter((name) => snapshotOf(name) === newest).map(markOf)[0];
  const shards = names.filter((name) => markOf(name) === mark).sort();
  for (const name of shards) {
    const { file } = await parseSnapshot(await readFile(join(folder, name)));
    if (file !== null) {
      const { schemaVersion, through } = file;
      return { schemaVersion, kind: "templateIndex", snapshot: newest, through, folded: {}, shards };
    }
  }
  return null;
}

function markOf(name: string): string {
  return SHARD.exec(name)?.[1] ?? "";
}

function snapshotOf(name: string): number {
  return Number.parseInt(markOf(name), 10) || 0;
}

function checksum(index: ShardIndex): string {
  return createHash("sha256").update(JSON.stringify(index)).digest("hex");
}

/**
 * Reads the shards of an index.
 *
 * @returns "gone" when another process has written a new snapshot, "damaged" when the change log alone is to be
 * read instead
 */
export async function readShards(
  folder: string,
  index: ShardIndex,
  onDocument: (id: string, text: string) => void,
  context: RecoveryContext,
): Promise<"whole" | "gone" | "damaged"> {
  const pace = startPace();
  for (const name of index.shards) {
    const path = join(folder, name);
    const bytes = await readIfPresent(path);
    if (bytes === null) return "gone";
    const { file, damage } = await parseSnapshot(bytes);
    if (damage !== null && (await context.isLogWhole())) {
      await setAside(path, damage, "its templates were made again from the change log", context);
      return "damaged";
    }
    for (const [id, text] of file?.documents ?? []) onDocument(id, text);
    if (damage !== null) {
      await setAside(path, damage, `${file?.documents.length ?? 0} templates were read from it`, context);
    }
    if (pace.isDue()) await pace.rest();
  }
  return "whole";
}

/**
 * Writes a new snapshot and removes the files of the one before. Under the lock.
 *
 * @returns false when another process has written one meanwhile, and this one counts for nothing: the lock was lost,
 * as by a program that was stopped and went on
 */
export async function writeShards(
  folder: string,
  previous: ShardIndex | null,
  { schemaVersion, through, folded }: Pick<ShardIndex, "schemaVersion" | "through" | "folded">,
  documents: readonly [id: string, document: string | StoredRecord][],
): Promise<boolean> {
  const snapshot = (previous?.snapshot ?? 0) + 1;
  const mark = `${snapshot}-${randomBytes(4).toString("hex")}`;
  const shards: string[] = [];
  const numbers = new Map<string, number>();
  const pace = startPace();
  const open = new Map<string, { lines: [string, string][]; bytes: number }>();
  const write = async (model: string, lines: [string, string][]) => {
    const number = (numbers.get(model) ?? 0) + 1;
    numbers.set(model, number);
    const name = `${model}-${number}.s${mark}.json`;
    await durableWrite(
      join(folder, name),
      formatSnapshot({ schemaVersion, kind: "templates", through, documents: lines }, true),
    );
    shards.push(name);
  };
  for (const [id, document] of documents) {
    const text = typeof document === "string" ? document : JSON.stringify(document);
    const model = modelOf(text);
    const shard = open.get(model) ?? { lines: [], bytes: 0 };
    open.set(model, shard);
    shard.lines.push([id, text]);
    shard.bytes += text.length;
    if (shard.bytes >= SHARD_BYTES) {
      open.delete(model);
      await write(model, shard.lines);
    }
    if (pace.isDue()) await pace.rest();
  }
  for (const [model, { lines }] of open) await write(model, lines);
  const index = { schemaVersion, kind: "templateIndex", snapshot, through, folded, shards } as const;
  if (!(await replaceIndex(folder, previous, index))) {
    await Promise.all(shards.map((name) => rm(join(folder, name), { force: true })));
    return false;
  }
  await removeOldShards(folder, shards);
  return true;
}

/** Says that the files of all kinds go further into the log, with the same shards as before. Under the lock. */
export async function renewShardIndex(
  folder: string,
  previous: ShardIndex | null,
  { schemaVersion, folded }: Pick<ShardIndex, "schemaVersion" | "folded">,
): Promise<void> {
  const { snapshot, through, shards } = previous ?? { snapshot: 0, through: {}, shards: [] };
  // Another number, so that whoever reads just now notices.
  const index = {
    schemaVersion,
    kind: "templateIndex",
    snapshot: snapshot + 1,
    through,
    folded,
    shards,
  } as const;
  await replaceIndex(folder, previous, index);
}

/** False when there is another index than the one before by now. */
async function replaceIndex(
  folder: string,
  previous: ShardIndex | null,
  index: ShardIndex,
): Promise<boolean> {
  const { index: present } = await readIndexFile(folder);
  if (present !== null && present.snapshot !== previous?.snapshot) return false;
  const file: IndexFile = { ...index, sha256: checksum(index) };
  await durableWrite(join(folder, INDEX), `${JSON.stringify(file, null, 2)}\n`);
  return true;
}

/** The start of the model's digest, for the file's name only: a wrong one would do no harm. */
function modelOf(text: string): string {
  const digest = /"modelDigest":"(?:sha256:)?([0-9A-Za-z]{1,12})/.exec(text)?.[1];
  return digest ?? "model";
}

async function removeOldShards(folder: string, current: readonly string[]): Promise<void> {
  for (const name of await readdir(folder)) {
    if (SHARD.test(name) && !current.includes(name)) await rm(join(folder, name), { force: true });
  }
  await syncFolder(folder);
}

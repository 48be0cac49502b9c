/**
 * One append-only file of JSON lines that several processes write. Each batch begins with a line feed instead of
 * ending with one: when a process dies in the middle of a line, the next batch starts a new line all the same,
 * so that half a line never swallows somebody's whole one.
 */
import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import type { Committed } from "../commitQueue.js";
import { writeFailure } from "./failure.js";
import { FILE_MODE, syncFolderOf } from "./folder.js";

const LINE_FEED = 10;
// Appending is atomic between processes on a local file system; O_NOFOLLOW refuses a link (0 on Windows).
const FLAGS = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | (constants.O_NOFOLLOW ?? 0);

/** What became of a batch, and of the file. */
export interface Appended extends Committed {
  /** Bytes of this batch that are in the file. */
  readonly bytes: number;
  /** Bytes in the file afterwards, everybody's. */
  readonly size: number;
  /** The file lost its name meanwhile: what was appended is lost with it. */
  readonly isRemoved: boolean;
}

/** A file opened for appending. */
export interface AppendLog {
  readonly path: string;
  /** Bytes in the file when it was opened. */
  readonly size: number;
  /** Appends lines and syncs them to disk. On a full disk it says how many whole lines are stored. */
  append(lines: readonly string[]): Promise<Appended>;
  close(): Promise<void>;
}

/** Opens (or makes) a file for appending; a new name is synced before anything is acknowledged. */
export async function openAppendLog(path: string): Promise<AppendLog> {
  const handle = await open(path, FLAGS, FILE_MODE);
  try {
    await syncFolderOf(path);
    const { size } = await handle.stat();
    return {
      path,
      size,
      append: (lines) => append(handle, path, lines),
      close: () => handle.close(),
    };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

async function append(handle: FileHandle, path: string, lines: readonly string[]): Promise<Appended> {
  const batch = Buffer.from(`\n${lines.join("\n")}`);
  let bytes = 0;
  let error: unknown;
  try {
    // A write that was cut short is not gone on with: others may append meanwhile, in the middle of a line.
    bytes = (await handle.write(batch)).bytesWritten;
  } catch (failure) {
    error = writeFailure(path, failure);
  }
  let stored = bytes === batch.length ? lines.length : countWholeLines(batch, bytes);
  let unsynced = 0;
  try {
    if (stored > 0) await handle.datasync();
  } catch (failure) {
    // The lines may be on disk or not; writing them again could store them twice.
    [stored, unsynced] = [0, stored];
    error = writeFailure(path, failure);
  }
  const { size, nlink } = await handle.stat();
  return { stored, unsynced, bytes, size, isRemoved: nlink === 0, ...(error === undefined ? {} : { error }) };
}

/** Whole lines in the first `length` bytes of a batch that was cut short. */
function countWholeLines(batch: Buffer, length: number): number {
  let lines = 0;
  for (
    let index = batch.indexOf(LINE_FEED, 1);
    index !== -1 && index <= length;
    index = batch.indexOf(LINE_FEED, index + 1)
  ) {
    lines++;
  }
  return lines;
}

/** A line of a log and where it ends. */
export interface LogLine {
  readonly text: string;
  /** Bytes from the start of what was given to the end of this line. */
  readonly end: number;
  /** False for the last one, which a writer may not have finished. */
  readonly isFinished: boolean;
}

/** Splits a piece of a log into its non-empty lines. */
export function* splitLines(bytes: Buffer): Generator<LogLine> {
  let start = 0;
  while (start < bytes.length) {
    const feed = bytes.indexOf(LINE_FEED, start);
    const end = feed === -1 ? bytes.length : feed;
    if (end > start) yield { text: bytes.toString("utf8", start, end), end, isFinished: feed !== -1 };
    start = end + 1;
  }
}

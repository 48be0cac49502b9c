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

/** A file opened for appending. */
export interface AppendLog {
  readonly path: string;
  /** Appends lines and syncs them to disk. Never throws; on a full disk it says how many whole lines are stored. */
  append(lines: readonly string[]): Promise<Committed>;
  /** Bytes in the file, everybody's. */
  size(): Promise<number>;
  /** Whether the file was removed under its name: what is appended now would be lost. */
  isRemoved(): Promise<boolean>;
  close(): Promise<void>;
}

/** Opens (or makes) a file for appending; a new name is synced before anything is acknowledged. */
export async function openAppendLog(path: string): Promise<AppendLog> {
  const handle = await open(path, FLAGS, FILE_MODE);
  try {
    await syncFolderOf(path);
  } catch (error) {
    await handle.close();
    throw error;
  }
  return {
    path,
    append: (lines) => append(handle, path, lines),
    size: async () => (await handle.stat()).size,
    isRemoved: async () => (await handle.stat()).nlink === 0,
    close: () => handle.close(),
  };
}

async function append(handle: FileHandle, path: string, lines: readonly string[]): Promise<Committed> {
  const batch = Buffer.from(`\n${lines.join("\n")}`);
  let written = 0;
  let failure: unknown;
  while (written < batch.length && failure === undefined) {
    try {
      written += (await handle.write(batch, written)).bytesWritten;
    } catch (error) {
      failure = error;
    }
  }
  const stored = failure === undefined ? lines.length : countWholeLines(batch, written);
  if (stored > 0) {
    try {
      await handle.datasync();
    } catch (error) {
      // The lines may be on disk or not; writing them again could store them twice.
      return { stored: 0, unsynced: stored, error: writeFailure(path, error) };
    }
  }
  return failure === undefined ? { stored } : { stored, error: writeFailure(path, failure) };
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

/** A file that is there whole or not at all. */
import { randomUUID } from "node:crypto";
import { createWriteStream, existsSync } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import { OptimizerError } from "../errors.js";

/**
 * Asked before the work, for it would be lost.
 *
 * @throws OptimizerError `FILE_EXISTS`
 */
export function assertWritable(file: string, force: boolean): void {
  if (force || !existsSync(file)) return;
  throw new OptimizerError({
    code: "FILE_EXISTS",
    message: `${file} is there already`,
    remedy: "Choose another name, or add --force.",
  });
}

/**
 * Writes beside the file and renames in the end; compressed when its name ends in ".gz". Whatever goes wrong, and
 * when the signal aborts, nothing is left behind.
 *
 * @throws OptimizerError `FILE_NOT_WRITTEN`; what `chunks` throws; the signal's reason
 */
export async function writeWhole(
  file: string,
  chunks: Iterable<string> | AsyncIterable<string>,
  signal: AbortSignal,
): Promise<void> {
  const part = `${file}.part-${randomUUID().slice(0, 8)}`;
  try {
    const from = Readable.from(chunks, { objectMode: false, highWaterMark: 64 * 1024 });
    const to = createWriteStream(part, { mode: 0o600 });
    if (file.endsWith(".gz")) await pipeline(from, createGzip(), to, { signal });
    else await pipeline(from, to, { signal });
    await rename(part, file);
  } catch (error) {
    await rm(part, { force: true }).catch(() => {});
    throw isFileError(error) ? notWritten(file, error) : error;
  }
}

function isFileError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && "syscall" in error;
}

const REASONS: Readonly<Record<string, string>> = {
  ENOSPC: "the disk is full",
  EACCES: "permission is denied",
  EROFS: "the file system is read-only",
  EDQUOT: "the disk quota is used up",
  ENOENT: "its folder does not exist",
  ENOTDIR: "its folder is none",
  EISDIR: "it is a folder",
};

/** @param file its name, or what else to call it at the beginning of a sentence */
export function notWritten(file: string, cause: NodeJS.ErrnoException): OptimizerError {
  return new OptimizerError({
    code: "FILE_NOT_WRITTEN",
    message: `${file} cannot be written: ${REASONS[cause.code ?? ""] ?? cause.code}`,
    remedy: "Choose another place.",
    cause,
  });
}

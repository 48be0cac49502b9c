/** The folder of a JSON store: made privately, and refused when it is a link or holds something else. */
import { chmodSync, existsSync, lstatSync, mkdirSync, readdirSync, type Stats } from "node:fs";
import { open } from "node:fs/promises";
import { dirname } from "node:path";
import { OptimizerError } from "../../errors.js";
import { fileErrorCode, readFailure, writeFailure } from "./failure.js";

export const FILE_MODE = 0o600;
export const FOLDER_MODE = 0o700;

/** `store.json`, its temporary and damaged copies, the lock, a folder for each schema version, rank lists, cached replies. */
const OWN = /^(store\.json.*|lock|v\d+|tokenizers|cache)$/;
/** Left by file managers and by people who keep the folder in git: harmless. */
const TOLERATED = new Set([".DS_Store", "Thumbs.db", "desktop.ini", ".gitignore", ".gitkeep"]);

/**
 * Makes a store's folder, or checks the one that is there. Synchronous, a few system calls.
 *
 * @returns whether it can be read only
 * @throws OptimizerError `STORE_FOLDER_LINK`, `STORE_FOLDER_FOREIGN`, `STORE_NOT_A_FOLDER`, `STORE_READ_ONLY`,
 *   `STORE_READ_FAILED`
 */
export function prepareFolder(folder: string): void {
  try {
    makeFolder(folder);
  } catch (error) {
    if (fileErrorCode(error) === "EEXIST" || fileErrorCode(error) === "ENOTDIR")
      throw notAFolder(folder, error);
    throw writeFailure(folder, error);
  }
  assertNoLink(folder);
  const foreign = namesIn(folder).find((name) => !OWN.test(name) && !TOLERATED.has(name));
  if (foreign !== undefined) {
    throw new OptimizerError({
      code: "STORE_FOLDER_FOREIGN",
      message: `The store folder ${folder} holds "${foreign}", which is not a part of a store`,
      remedy: "Choose an empty or new folder, or move that file away.",
    });
  }
  // Only now is it known to be ours: the rights of a home or of /tmp are nothing to narrow.
  assertRealFolder(folder);
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    throw readFailure(folder, error);
  }
}

/**
 * `mkdir -p` in single steps: Node 20's own says ENOENT where the file system is read-only, and never ends below a
 * folder like /proc, which nobody can add to.
 */
function makeFolder(folder: string): void {
  const missing: string[] = [];
  for (let path = folder; !existsSync(path); path = dirname(path)) missing.push(path);
  for (const path of missing.reverse()) {
    try {
      mkdirSync(path, { mode: FOLDER_MODE });
    } catch (error) {
      // Another program was faster, or it is a link that leads nowhere: the next look tells.
      if (fileErrorCode(error) !== "EEXIST") throw error;
    }
  }
}

/**
 * Refuses a link, which could lead the store's writes elsewhere, and narrows rights that are too wide.
 *
 * @throws OptimizerError `STORE_FOLDER_LINK`, `STORE_NOT_A_FOLDER`
 */
export function assertRealFolder(folder: string): void {
  const stats = assertNoLink(folder);
  if ((stats.mode & 0o077) !== 0 && process.platform !== "win32") {
    try {
      chmodSync(folder, FOLDER_MODE);
    } catch (error) {
      // Somebody else's folder, or a read-only one: reading may go on.
      if (!["EPERM", "EROFS", "EACCES"].includes(fileErrorCode(error) ?? "")) throw error;
    }
  }
}

function assertNoLink(folder: string): Stats {
  const stats = lstatSync(folder);
  if (stats.isSymbolicLink()) {
    throw new OptimizerError({
      code: "STORE_FOLDER_LINK",
      message: `The store folder ${folder} is a symbolic link`,
      remedy: "Name the folder itself.",
    });
  }
  if (!stats.isDirectory()) throw notAFolder(folder);
  return stats;
}

function notAFolder(folder: string, cause?: unknown): OptimizerError {
  return new OptimizerError({
    code: "STORE_NOT_A_FOLDER",
    message: `${folder} is not a folder`,
    remedy: "Name a folder; it is made when it is missing.",
    cause,
  });
}

/** Makes new, renamed and removed names in a folder survive a loss of power. Windows has no such call. */
export async function syncFolder(folder: string): Promise<void> {
  if (process.platform === "win32") return;
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Like {@link syncFolder}, for the folder a file lies in. */
export function syncFolderOf(path: string): Promise<void> {
  return syncFolder(dirname(path));
}

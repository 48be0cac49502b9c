/** Replaces a whole file so that a reader sees the old or the new one, never half, and a power loss keeps one. */
import { lstat, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import writeFileAtomic from "write-file-atomic";
import { OptimizerError } from "../../errors.js";
import { FILE_MODE, syncFolderOf } from "./folder.js";

/**
 * write-file-atomic syncs the file and renames it; the folder that holds the new name is synced here.
 *
 * @throws {@link OptimizerError} `STORE_FOLDER_LINK`
 */
export async function durableWrite(path: string, text: string): Promise<void> {
  // write-file-atomic replaces what a link leads to: a folder from elsewhere could name any file of the user's.
  if (
    await lstat(path).then(
      (stats) => stats.isSymbolicLink(),
      () => false,
    )
  ) {
    throw new OptimizerError({
      code: "STORE_FOLDER_LINK",
      message: `${path} is a symbolic link`,
      remedy: "Put the file itself there, or remove the link.",
    });
  }
  await writeFileAtomic(path, text, { mode: FILE_MODE, fsync: true });
  await syncFolderOf(path);
}

/** What write-file-atomic leaves when its process dies. */
const TEMPORARY = /\.json\.\d+$/;
/** No write takes so long, in milliseconds. */
const ABANDONED_MS = 60_000;

/** Removes what writes of processes that died have left in a folder. */
export async function removeAbandoned(folder: string): Promise<void> {
  for (const name of (await readdir(folder)).filter((each) => TEMPORARY.test(each))) {
    const path = join(folder, name);
    const age = await stat(path).then(
      ({ mtimeMs }) => Date.now() - mtimeMs,
      () => 0,
    );
    if (age > ABANDONED_MS) await rm(path, { force: true });
  }
}

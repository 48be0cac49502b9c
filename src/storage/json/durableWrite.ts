/** Replaces a whole file so that a reader sees the old or the new one, never half, and a power loss keeps one. */
import { lstat } from "node:fs/promises";
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

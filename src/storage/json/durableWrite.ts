/** Replaces a whole file so that a reader sees the old or the new one, never half, and a power loss keeps one. */
import writeFileAtomic from "write-file-atomic";
import { FILE_MODE, syncFolderOf } from "./folder.js";

/** write-file-atomic syncs the file and renames it; the folder that holds the new name is synced here. */
export async function durableWrite(path: string, text: string): Promise<void> {
  await writeFileAtomic(path, text, { mode: FILE_MODE, fsync: true });
  await syncFolderOf(path);
}

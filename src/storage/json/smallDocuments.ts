/** Settings, profiles and rules: one readable file each, through lowdb with an adapter that survives power loss. */
import { type Adapter, Low } from "lowdb";
import { SCHEMA_VERSION } from "../../records.js";
import type { DocumentKind } from "../store.js";
import { type RecoveryContext, setAside } from "./damaged.js";
import { durableWrite } from "./durableWrite.js";
import { readIfPresent } from "./readIfPresent.js";
import { formatSnapshot, parseSnapshot, type SnapshotFile } from "./snapshotFile.js";

/** Nothing, before the change log begins. */
export function emptySnapshot(kind: DocumentKind): SnapshotFile {
  return { schemaVersion: SCHEMA_VERSION, kind, through: {}, documents: [] };
}

/** A document file. lowdb's own adapter does not sync, and two of them on one file damage it. */
export function smallDocuments(
  path: string,
  kind: DocumentKind,
  context: RecoveryContext,
): Low<SnapshotFile> {
  const adapter: Adapter<SnapshotFile> = {
    async read() {
      const bytes = await readIfPresent(path);
      if (bytes === null) return null;
      const { file, damage } = await parseSnapshot(bytes);
      if (damage === null) return file;
      if (await context.isLogWhole()) {
        await setAside(path, damage, "its documents were made again from the change log", context);
        return null;
      }
      await setAside(path, damage, `${file?.documents.length ?? 0} documents were read from it`, context);
      return file;
    },
    write: (file) => durableWrite(path, formatSnapshot(file, false)),
  };
  return new Low(adapter, emptySnapshot(kind));
}

/** `store.json`: which schema version the folder holds. Everything else lies in the folder `v<version>`. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { OptimizerError } from "../../errors.js";
import { durableWrite } from "./durableWrite.js";
import { fileErrorCode, readFailure } from "./failure.js";
import { parseJson } from "./snapshotFile.js";

export const STORE_FILE = "store.json";

export interface StoreFile {
  readonly schemaVersion: number;
  readonly kind: "store";
  /** True while the documents are being carried to a newer version: nobody may write. */
  readonly migrating?: boolean;
}

/**
 * What the folder holds; `file` is null when it is new, and read from the folders' names when it is not whole.
 *
 * @throws {@link OptimizerError} `STORE_READ_FAILED`
 */
export function readStoreFile(folder: string): {
  readonly file: StoreFile | null;
  readonly state: "whole" | "missing" | "damaged";
} {
  let state: "missing" | "damaged" = "missing";
  try {
    const value = parseJson(readFileSync(join(folder, STORE_FILE), "utf8"));
    if (isStoreFile(value)) return { file: value, state: "whole" };
    state = "damaged";
  } catch (error) {
    if (fileErrorCode(error) !== "ENOENT") throw readFailure(join(folder, STORE_FILE), error);
  }
  const versions = namesIn(folder).flatMap((name) => /^v(\d+)$/.exec(name)?.[1] ?? []);
  // Migrations make the newer folder before they switch: the oldest one is whole.
  const oldest = Math.min(...versions.map(Number));
  return { file: versions.length === 0 ? null : { schemaVersion: oldest, kind: "store" }, state };
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    throw readFailure(folder, error);
  }
}

export function writeStoreFile(folder: string, file: StoreFile): Promise<void> {
  return durableWrite(join(folder, STORE_FILE), `${JSON.stringify(file)}\n`);
}

/** @throws OptimizerError `STORE_NEWER` */
export function assertNotNewer(folder: string, found: number, known: number): void {
  if (found <= known) return;
  throw new OptimizerError({
    code: "STORE_NEWER",
    message: `The store ${folder} has schema version ${found}; this package knows up to ${known}`,
    remedy: "Update langchain-ollama-optimizer, or choose another folder. Nothing was changed.",
  });
}

function isStoreFile(value: unknown): value is StoreFile {
  return (
    typeof value === "object" &&
    value !== null &&
    "kind" in value &&
    value.kind === "store" &&
    "schemaVersion" in value &&
    typeof value.schemaVersion === "number"
  );
}

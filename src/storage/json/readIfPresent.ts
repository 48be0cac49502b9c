import { readFile } from "node:fs/promises";
import { fileErrorCode, readFailure } from "./failure.js";

/**
 * A file's bytes; null when there is none.
 *
 * @throws {@link OptimizerError} `STORE_READ_FAILED`
 */
export async function readIfPresent(path: string): Promise<Buffer | null> {
  try {
    return await readFile(path);
  } catch (error) {
    if (fileErrorCode(error) === "ENOENT") return null;
    throw readFailure(path, error);
  }
}

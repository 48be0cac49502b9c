/** JSON that people write. */
import { readFileSync } from "node:fs";

/** Editors of Windows may begin it with a byte order mark. */
export function readJsonFile(path: string): unknown {
  return JSON.parse(readFileSync(path, "utf8").replace(/^\uFEFF/, ""));
}

/** A folder for a notebook's store that is gone afterwards. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative, sep } from "node:path";

/** A folder with what lies in it. */
export interface NotebookFolder {
  readonly path: string;
  /** Files below it, sorted by name. */
  files(): readonly { readonly name: string; readonly bytes: number; readonly content: string }[];
  remove(): void;
}

/** A new, empty folder below the system's folder for temporary files. */
export function temporaryFolder(): NotebookFolder {
  const path = mkdtempSync(join(tmpdir(), "optimizer-notebook-"));
  return {
    path,
    files: () =>
      readdirSync(path, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name))
        .sort()
        .map((file) => ({
          name: relative(path, file).replaceAll(sep, "/"),
          bytes: statSync(file).size,
          content: readFileSync(file, "utf8"),
        })),
    remove: () => rmSync(path, { recursive: true }),
  };
}

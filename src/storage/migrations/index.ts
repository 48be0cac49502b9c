/**
 * Steps from one schema version to the next, forward only, one file a step (`to2.ts`, `to3.ts`, ...). A step is
 * pure: it is applied to every document and request while the whole store is carried to its new place.
 *
 * There is one version so far, and therefore no step.
 */
import type { RequestRecord, StoredRecord } from "../../records.js";
import type { DocumentKind } from "../store.js";

/** One step. */
export interface Migration {
  /** The version it leads to, from the one before. */
  readonly to: number;
  /** The document in the new shape; null when the new version has none of it. */
  document(kind: DocumentKind, document: StoredRecord): StoredRecord | null;
  request(request: RequestRecord): RequestRecord;
}

export const migrations: readonly Migration[] = [];

/**
 * Steps in order as one.
 *
 * @param from version of what is read
 * @param to version that is wanted, at least `from`
 * @example composeMigrations(migrations, 1, 3).request(requestOfVersion1) // the same request in version 3
 */
export function composeMigrations(
  steps: readonly Migration[],
  from: number,
  to: number,
): Pick<Migration, "document" | "request"> {
  const due = steps.filter((step) => step.to > from && step.to <= to).sort((a, b) => a.to - b.to);
  return {
    document: (kind, document) => {
      let migrated: StoredRecord | null = document;
      for (const step of due) migrated = migrated && step.document(kind, migrated);
      return migrated && { ...migrated, schemaVersion: to };
    },
    request: (request) => ({
      ...due.reduce((migrated, step) => step.request(migrated), request),
      schemaVersion: to,
    }),
  };
}

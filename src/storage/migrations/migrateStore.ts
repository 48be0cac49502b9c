/** Carries a whole store to the next version: copied to a new place, read again there, compared. */
import { OptimizerError } from "../../errors.js";
import { DOCUMENT_KINDS, type OptimizerStore } from "../store.js";
import { exportStore, importStore, isImportMark } from "../transfer.js";
import { composeMigrations, type Migration } from "./index.js";

export interface StoreMigration {
  readonly from: number;
  readonly to: number;
  readonly steps: readonly Migration[];
  /** Opens the old place, which is only read. */
  openOld(): OptimizerStore;
  /** Opens the new place, empty the first time. */
  openNew(): OptimizerStore;
}

/**
 * Copies and verifies. The old place is untouched; the caller switches to the new one afterwards.
 *
 * @throws OptimizerError `STORE_MIGRATION_FAILED`
 */
export async function migrateStore(migration: StoreMigration): Promise<void> {
  try {
    await copyAndVerify(migration);
  } catch (cause) {
    if (OptimizerError.isInstance(cause)) throw cause;
    throw new OptimizerError({
      code: "STORE_MIGRATION_FAILED",
      message: `The migration to version ${migration.to} failed: ${cause instanceof Error ? cause.message : cause}`,
      remedy: "The old store is unchanged; report this, and use the older package meanwhile.",
      cause,
    });
  }
}

async function copyAndVerify(migration: StoreMigration): Promise<void> {
  const { from, to, steps } = migration;
  const expected = new Tally();
  await using(migration.openOld(), (old) =>
    using(migration.openNew(), async (fresh) => {
      const carry = composeMigrations(steps, from, to);
      const counting: Migration = {
        to,
        document: (kind, document) => {
          const carried = carry.document(kind, document);
          if (carried !== null) expected.documents++;
          return carried;
        },
        request: (request) => {
          expected.requests++;
          return carry.request(request);
        },
      };
      await importStore(fresh, exportStore(old, { schemaVersion: from }), {
        schemaVersion: to,
        migrations: [counting],
      });
    }),
  );
  const found = new Tally();
  await using(migration.openNew(), (fresh) => found.count(fresh));
  if (found.requests === expected.requests && found.documents === expected.documents) return;
  throw new OptimizerError({
    code: "STORE_MIGRATION_FAILED",
    message: `After migration to version ${to} the store holds ${found}, expected were ${expected}`,
    remedy: "The old store is unchanged; report this with both numbers.",
  });
}

class Tally {
  requests = 0;
  documents = 0;

  async count(store: OptimizerStore): Promise<void> {
    await store.ready();
    for (const kind of DOCUMENT_KINDS) {
      for (const document of store.list(kind)) if (!isImportMark(kind, document)) this.documents++;
    }
    for await (const _ of store.requests()) this.requests++;
  }

  toString(): string {
    return `${this.requests} requests and ${this.documents} documents`;
  }
}

async function using(store: OptimizerStore, work: (store: OptimizerStore) => Promise<void>): Promise<void> {
  try {
    await work(store);
  } finally {
    await store.close();
  }
}

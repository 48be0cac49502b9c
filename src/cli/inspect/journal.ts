/** What a person changed, kept in the store so that it can be undone. */
import { OptimizerError } from "../../errors.js";
import type { StoredRecord } from "../../records.js";
import type { DocumentKind, OptimizerStore } from "../../storage/store.js";
import type { Plan } from "./changes.js";

type Before =
  | { readonly type: "removed"; readonly kind: DocumentKind; readonly document: StoredRecord }
  | {
      readonly type: "changed";
      readonly kind: DocumentKind;
      readonly id: string;
      readonly fields: Readonly<Record<string, unknown>>;
    };

interface Step {
  /** ISO 8601. */
  readonly at: string;
  readonly text: string;
  readonly before: readonly Before[];
}

const ID = "inspect changes";
/** Changes that can be undone. */
const MOST_STEPS = 20;

/** Carries a plan out; what was before is kept first. */
export async function carryOut(store: OptimizerStore, plan: Plan, at: Date): Promise<void> {
  const before = plan.operations.flatMap((operation): Before[] => {
    const { kind, id } = operation;
    const document = store.get(kind, id);
    if (!document) return [];
    if (operation.type === "remove") return [{ type: "removed", kind, document }];
    const known = document as unknown as Readonly<Record<string, unknown>>;
    const fields = Object.keys(operation.fields).map((name) => [name, known[name] ?? null]);
    return [{ type: "changed", kind, id, fields: Object.fromEntries(fields) }];
  });
  await keep(store, [...(steps(store) ?? []), { at: at.toISOString(), text: plan.text, before }]);
  await Promise.all(
    plan.operations.map((operation) =>
      operation.type === "remove"
        ? store.remove(operation.kind, operation.id)
        : // The fields are those of the kind: `planChange` made both.
          store.merge(operation.kind, { id: operation.id, ...operation.fields } as never),
    ),
  );
}

/**
 * What was changed last.
 *
 * @throws OptimizerError `NOTHING_TO_UNDO`
 */
export function lastStep(store: OptimizerStore): Step {
  const known = steps(store);
  const last = known?.at(-1);
  if (last) return last;
  throw new OptimizerError({
    code: "NOTHING_TO_UNDO",
    message: `${known ? "Nothing is left to undo" : "Nothing was changed by hand"} in ${store.location}`,
    remedy: "`inspect forget`, `pin`, `unpin` and `set` change something.",
  });
}

/** Puts back what was before the last change. What was learned anew meanwhile is added to what was forgotten. */
export async function undo(store: OptimizerStore): Promise<void> {
  const step = lastStep(store);
  await Promise.all(
    step.before.map(async (before) => {
      if (before.type === "changed") {
        // What is gone by now had nothing else to it: the fields alone would be half a record.
        if (store.get(before.kind, before.id))
          await store.merge(before.kind, { id: before.id, ...before.fields } as never);
      } else if (store.get(before.kind, before.document.id)) {
        await store.merge(before.kind, { id: before.document.id, counts: before.document.counts } as never);
      } else {
        await store.create(before.kind, before.document as never);
      }
    }),
  );
  await keep(store, (steps(store) ?? []).slice(0, -1));
}

/** null: none was ever kept. */
function steps(store: OptimizerStore): readonly Step[] | null {
  const value = store.get("settings", ID)?.value;
  return Array.isArray(value) ? (value as readonly Step[]) : null;
}

function keep(store: OptimizerStore, list: readonly Step[]): Promise<void> {
  return store.merge("settings", { id: ID, value: list.slice(-MOST_STEPS) });
}

/**
 * The merge rule of stored documents, the same for every driver: numbers below `counts` are added, `createdAt`
 * keeps the earliest, every other field is that of the later `updatedAt`. Pure.
 */
import type { Counts, StoredRecord } from "../records.js";

/** A change with its times filled in, as it is stored. Fields beyond these are the document's own. */
export type StampedChange = {
  readonly id: string;
  readonly schemaVersion: number;
  readonly updatedAt: string;
  /** Present when the change may create the document. */
  readonly createdAt?: string;
  readonly counts?: Counts;
};

/**
 * Adds two trees of counts: numbers by sum, arrays element by element (the shorter one is filled with zeros),
 * objects key by key. Where the shapes differ the left one stays, because a sum of a number and a list says nothing.
 *
 * @example addCounts({ calls: 1, votes: [1, -1] }, { calls: 2, votes: [1, 1, 1] }) // { calls: 3, votes: [2, 0, 1] }
 */
export function addCounts(left: Counts, right: Counts): Counts {
  const sums: Record<string, Counts[string]> = { ...left };
  for (const key of Object.keys(right)) {
    const value = right[key]!;
    const sum = Object.hasOwn(left, key) ? addValues(left[key]!, value) : value;
    // An assignment would not make plain data of it.
    if (key === "__proto__") Object.defineProperty(sums, key, { ...PLAIN, value: sum });
    else sums[key] = sum;
  }
  return sums;
}

const PLAIN = { configurable: true, enumerable: true, writable: true } as const;

function addValues(left: Counts[string], right: Counts[string]): Counts[string] {
  if (typeof left === "number") return typeof right === "number" ? left + right : left;
  if (isList(left)) return isList(right) ? addLists(left, right) : left;
  return typeof right === "number" || isList(right) ? left : addCounts(left, right);
}

function isList(value: Counts[string]): value is readonly number[] {
  return Array.isArray(value);
}

function addLists(left: readonly number[], right: readonly number[]): readonly number[] {
  const [longer, shorter] = left.length >= right.length ? [left, right] : [right, left];
  return longer.map((value, index) => value + (shorter[index] ?? 0));
}

/**
 * What a document is after a change.
 *
 * @returns undefined when there was none and the change may not create one: it was removed in the meantime
 * @example
 * mergeDocument({ id: "a", schemaVersion: 1, createdAt: "2026-01-01", updatedAt: "2026-01-02", counts: { calls: 1 } },
 *   { id: "a", schemaVersion: 1, updatedAt: "2026-01-03", counts: { calls: 1 } })
 * // { id: "a", schemaVersion: 1, createdAt: "2026-01-01", updatedAt: "2026-01-03", counts: { calls: 2 } }
 */
export function mergeDocument(
  current: StoredRecord | undefined,
  change: StampedChange,
): StoredRecord | undefined {
  if (current === undefined) {
    return change.createdAt === undefined
      ? undefined
      : { ...change, createdAt: change.createdAt, counts: change.counts ?? {} };
  }
  const isLater = change.updatedAt >= current.updatedAt;
  return {
    ...(isLater ? current : change),
    ...(isLater ? change : current),
    createdAt: earliest(current.createdAt, change.createdAt),
    counts: change.counts === undefined ? current.counts : addCounts(current.counts, change.counts),
  };
}

function earliest(left: string, right: string | undefined): string {
  return right !== undefined && right < left ? right : left;
}

/** What can happen to a document, in the order in which the store has it. */
export type DocumentOperation =
  | { readonly type: "merge" | "create"; readonly change: StampedChange }
  | { readonly type: "remove"; readonly id: string };

/** The document an operation is about. */
export function documentId(operation: DocumentOperation): string {
  return operation.type === "remove" ? operation.id : operation.change.id;
}

/** What a document is after an operation; undefined when there is none. */
export function applyOperation(
  current: StoredRecord | undefined,
  operation: DocumentOperation,
): StoredRecord | undefined {
  switch (operation.type) {
    case "remove":
      return undefined;
    case "create":
      return current ?? mergeDocument(undefined, operation.change);
    case "merge":
      return mergeDocument(current, operation.change);
  }
}

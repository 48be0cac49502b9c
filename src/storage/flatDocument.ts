/**
 * A document as servers keep it, in pieces that they can merge by themselves: each field as JSON text, each count
 * under its path. Neither Redis's Lua nor PostgreSQL ever re-encodes a field, so that `[]` stays `[]`.
 */
import type { Counts, StoredRecord } from "../records.js";
import type { StampedChange } from "./merge.js";

/** A number, a list of numbers, or an empty object, by path. */
export type FlatCounts = Readonly<Record<string, number | readonly number[] | "{}">>;

export interface FlatDocument {
  /** JSON text by field name, without `id`, the times, the version and `counts`. */
  readonly fields: Readonly<Record<string, string>>;
  /** The path is a JSON array of keys. */
  readonly counts: FlatCounts;
}

/** @example flattenChange({ id: "r", ..., value: 512, counts: { a: { b: 1 } } }) // { fields: { value: "512" }, counts: { '["a","b"]': 1 } } */
export function flattenChange(change: StampedChange): FlatDocument {
  const {
    id: _id,
    schemaVersion: _version,
    createdAt: _created,
    updatedAt: _updated,
    counts,
    ...fields
  } = change;
  return {
    fields: Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, JSON.stringify(value)])),
    counts: Object.fromEntries(flatEntries(counts ?? {}, [])),
  };
}

function flatEntries(counts: Counts, path: readonly string[]): [string, FlatCounts[string]][] {
  return Object.entries(counts).flatMap(([key, value]): [string, FlatCounts[string]][] => {
    const here = [...path, key];
    if (typeof value === "number" || isList(value)) return [[JSON.stringify(here), value]];
    const inner = flatEntries(value, here);
    return inner.length === 0 ? [[JSON.stringify(here), "{}"]] : inner;
  });
}

function isList(value: Counts[string]): value is readonly number[] {
  return Array.isArray(value);
}

/** The document again. */
export function unflatten(
  base: Pick<StoredRecord, "id" | "schemaVersion" | "createdAt" | "updatedAt">,
  { fields, counts }: FlatDocument,
): StoredRecord {
  return {
    ...base,
    ...Object.fromEntries(Object.entries(fields).map(([name, text]) => [name, JSON.parse(text) as unknown])),
    counts: unflattenCounts(counts),
  };
}

type Tree = Map<string, number | readonly number[] | Tree>;

function unflattenCounts(flat: FlatCounts): Counts {
  const root: Tree = new Map();
  for (const [path, value] of Object.entries(flat)) {
    const keys = JSON.parse(path) as string[];
    const parents = value === "{}" ? keys : keys.slice(0, -1);
    let node = root;
    for (const key of parents) {
      const next = node.get(key);
      if (next instanceof Map) node = next;
      else {
        const made: Tree = new Map();
        node.set(key, made);
        node = made;
      }
    }
    const last = keys.at(-1);
    if (value !== "{}" && last !== undefined) node.set(last, value);
  }
  return toCounts(root);
}

function toCounts(tree: Tree): Counts {
  return Object.fromEntries(
    [...tree].map(([key, value]) => [key, value instanceof Map ? toCounts(value) : value]),
  );
}

/**
 * The documents of one kind in memory: what the store holds, and on top of it this process's own operations that
 * the store has not confirmed yet. Documents nobody touched stay JSON text: 10,000 templates take a third of the
 * memory of their objects, and open without being parsed.
 */
import type { StoredRecord } from "../records.js";
import { applyOperation, type DocumentOperation, documentId } from "./merge.js";

/** Documents kept as objects; the rest is kept as text. */
const PARSED_LIMIT = 256;

interface Pending {
  readonly operations: Map<number, DocumentOperation>;
  /**
   * The confirmed document with the operations applied; null when either changed since. Made when it is asked for:
   * a commit settles hundreds of operations of one document, and applying what is left after each took more time
   * than the calls they came from.
   */
  view: { readonly record: StoredRecord | undefined } | null;
}

export class DocumentTable {
  readonly #confirmed = new Map<string, string | StoredRecord>();
  /** Ids whose confirmed document is an object, least recently used first. */
  readonly #parsed = new Set<string>();
  readonly #pending = new Map<string, Pending>();

  /** What this process sees: its own unconfirmed operations included. */
  get(id: string): StoredRecord | undefined {
    const pending = this.#pending.get(id);
    return pending === undefined ? this.confirmed(id) : this.#view(id, pending);
  }

  /** Everything {@link get} would return. Parses as it goes, so that a caller may pause. */
  *list(): Generator<StoredRecord> {
    for (const [id, stored] of this.#confirmed) {
      const pending = this.#pending.get(id);
      const record = pending ? this.#view(id, pending) : typeof stored === "string" ? parse(stored) : stored;
      if (record !== undefined) yield record;
    }
    for (const [id, pending] of this.#pending) {
      if (this.#confirmed.has(id)) continue;
      const record = this.#view(id, pending);
      if (record !== undefined) yield record;
    }
  }

  /** What the store holds, without unconfirmed operations. */
  confirmed(id: string): StoredRecord | undefined {
    const stored = this.#confirmed.get(id);
    if (stored === undefined) return undefined;
    const record = typeof stored === "string" ? parse(stored) : stored;
    this.#keepParsed(id, record);
    return record;
  }

  /** A frozen copy of what the store holds, as JSON text or objects. */
  snapshot(): [id: string, document: string | StoredRecord][] {
    return [...this.#confirmed];
  }

  /** Shows an operation before the store has it. `sequence` ends it later. */
  propose(sequence: number, operation: DocumentOperation): void {
    const id = documentId(operation);
    const pending: Pending = this.#pending.get(id) ?? { operations: new Map(), view: null };
    const record = applyOperation(this.#view(id, pending), operation);
    pending.operations.set(sequence, operation);
    pending.view = { record };
    this.#pending.set(id, pending);
  }

  /** Ends a proposed operation: the store has it (and {@link apply} or {@link put} follows), or it is given up. */
  settle(sequence: number, id: string): void {
    const pending = this.#pending.get(id);
    if (!pending?.operations.delete(sequence)) return;
    if (pending.operations.size === 0) this.#pending.delete(id);
    else pending.view = null;
  }

  /** An operation in the store's order. */
  apply(operation: DocumentOperation): void {
    const id = documentId(operation);
    this.put(id, applyOperation(this.confirmed(id), operation) ?? null);
  }

  /** What the store holds from now on; null when it was removed. */
  put(id: string, document: string | StoredRecord | null): void {
    this.#parsed.delete(id);
    if (document === null) this.#confirmed.delete(id);
    else if (typeof document === "string") this.#confirmed.set(id, document);
    else this.#keepParsed(id, document);
    const pending = this.#pending.get(id);
    if (pending !== undefined) pending.view = null;
  }

  /** Forgets documents that are not among these. Returns those it forgot. */
  keepOnly(ids: ReadonlySet<string>): string[] {
    const gone = [...this.#confirmed.keys()].filter((id) => !ids.has(id));
    for (const id of gone) this.put(id, null);
    return gone;
  }

  #view(id: string, pending: Pending): StoredRecord | undefined {
    if (pending.view === null) {
      let record = this.confirmed(id);
      for (const operation of pending.operations.values()) record = applyOperation(record, operation);
      pending.view = { record };
    }
    return pending.view.record;
  }

  #keepParsed(id: string, record: StoredRecord): void {
    this.#confirmed.set(id, record);
    this.#parsed.delete(id);
    this.#parsed.add(id);
    if (this.#parsed.size <= PARSED_LIMIT) return;
    for (const oldest of this.#parsed) {
      this.#parsed.delete(oldest);
      const stored = this.#confirmed.get(oldest);
      if (stored !== undefined && typeof stored !== "string") {
        this.#confirmed.set(oldest, JSON.stringify(stored));
      }
      return;
    }
  }
}

function parse(text: string): StoredRecord {
  return JSON.parse(text) as StoredRecord;
}

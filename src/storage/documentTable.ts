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
  view: StoredRecord | undefined;
}

export class DocumentTable {
  readonly #confirmed = new Map<string, string | StoredRecord>();
  /** Ids whose confirmed document is an object, least recently used first. */
  readonly #parsed = new Set<string>();
  readonly #pending = new Map<string, Pending>();

  /** What this process sees: its own unconfirmed operations included. */
  get(id: string): StoredRecord | undefined {
    const pending = this.#pending.get(id);
    return pending === undefined ? this.confirmed(id) : pending.view;
  }

  /** Everything {@link get} would return. Parses as it goes, so that a caller may pause. */
  *list(): Generator<StoredRecord> {
    for (const [id, stored] of this.#confirmed) {
      const pending = this.#pending.get(id);
      if (pending === undefined) yield typeof stored === "string" ? parse(stored) : stored;
      else if (pending.view !== undefined) yield pending.view;
    }
    for (const [id, { view }] of this.#pending) {
      if (view !== undefined && !this.#confirmed.has(id)) yield view;
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
    const pending = this.#pending.get(id) ?? { operations: new Map(), view: this.confirmed(id) };
    pending.operations.set(sequence, operation);
    pending.view = applyOperation(pending.view, operation);
    this.#pending.set(id, pending);
  }

  /** Ends a proposed operation: the store has it (and {@link apply} or {@link put} follows), or it is given up. */
  settle(sequence: number, id: string): void {
    const pending = this.#pending.get(id);
    if (pending?.operations.delete(sequence)) this.#refresh(id, pending);
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
    if (pending !== undefined) this.#refresh(id, pending);
  }

  /** Forgets documents that are not among these. Returns those it forgot. */
  keepOnly(ids: ReadonlySet<string>): string[] {
    const gone = [...this.#confirmed.keys()].filter((id) => !ids.has(id));
    for (const id of gone) this.put(id, null);
    return gone;
  }

  #refresh(id: string, pending: Pending): void {
    if (pending.operations.size === 0) {
      this.#pending.delete(id);
      return;
    }
    let view = this.confirmed(id);
    for (const operation of pending.operations.values()) view = applyOperation(view, operation);
    pending.view = view;
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

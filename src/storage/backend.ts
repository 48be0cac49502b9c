/** What a driver does; {@link QueuedStore} makes the store of it. */
import type { RequestRecord, StoredRecord } from "../records.js";
import type { Committed } from "./commitQueue.js";
import { type DocumentOperation, documentId } from "./merge.js";
import type { DocumentKind, RequestQuery, StoreAbilities } from "./store.js";

/** An operation of this process on its way to the store. */
export interface QueuedOperation {
  readonly kind: DocumentKind;
  readonly operation: DocumentOperation;
  /** Ascending within this process. */
  readonly sequence: number;
}

/** A request on its way to the store, and its JSON. */
export interface QueuedRequest {
  readonly request: RequestRecord;
  readonly text: string;
}

/** Operations by what they are about, as "kind id". */
export function byDocument(
  operations: readonly QueuedOperation[],
): ReadonlyMap<string, readonly QueuedOperation[]> {
  const groups = new Map<string, QueuedOperation[]>();
  for (const queued of operations) {
    const key = `${queued.kind} ${documentId(queued.operation)}`;
    const group = groups.get(key);
    if (group) group.push(queued);
    else groups.set(key, [queued]);
  }
  return groups;
}

/** The documents in memory as a driver fills them. */
export interface Memory {
  /** Forgets documents that the store turned out not to hold, after it was read anew. */
  keepOnly(kind: DocumentKind, ids: ReadonlySet<string>): void;
  /**
   * What the store holds; null when removed. Text is the document's JSON.
   *
   * @param own operations of this process that are stored in it, and are settled with this. Whatever else is new in
   * it others did.
   */
  put(
    kind: DocumentKind,
    id: string,
    document: string | StoredRecord | null,
    own?: readonly QueuedOperation[],
  ): void;
  /** An operation in the store's order; `own` is its sequence when this process made it. */
  apply(kind: DocumentKind, operation: DocumentOperation, own: number | undefined): void;
  /** An own operation is stored, and what it made was {@link put}. */
  settle(queued: QueuedOperation): void;
  /** A frozen copy of what the store holds. */
  snapshot(kind: DocumentKind): [id: string, document: string | StoredRecord][];
}

/**
 * Calls of `load`, `commit` and `poll` never overlap. `append` and `requests` may run at any time.
 * An OptimizerError of `load` ends the store, except `STORE_UNREACHABLE`, which is tried again.
 */
export interface Backend {
  readonly location: string;
  readonly abilities: StoreAbilities;
  /** Version of what is written. */
  readonly schemaVersion: number;
  /** How long writes wait for a store out of reach before they reject, in milliseconds. */
  readonly patienceMs: number;
  /** Reads all documents. */
  load(memory: Memory): Promise<void>;
  /** Stores operations in order and brings their results into memory. Must not throw. */
  commit(operations: readonly QueuedOperation[], memory: Memory): Promise<Committed>;
  /** Brings changes of others into memory; due background work may start here. */
  poll(memory: Memory): Promise<void>;
  /** Stores requests in order. Must not throw. */
  append(requests: readonly QueuedRequest[]): Promise<Committed>;
  requests(query: RequestQuery): AsyncIterable<RequestRecord>;
  /** After the last commit. */
  close(memory: Memory): Promise<void>;
}

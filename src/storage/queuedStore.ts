/** The store contract over a driver's {@link Backend}: documents in memory, writes through queues. */
import { isDeepStrictEqual } from "node:util";
import { OptimizerError } from "../errors.js";
import { type Logger, silentLogger } from "../logger.js";
import type { Counts, RequestRecord, StoredRecord } from "../records.js";
import type { Backend, Memory, QueuedOperation, QueuedRequest } from "./backend.js";
import { CommitQueue } from "./commitQueue.js";
import { DocumentTable } from "./documentTable.js";
import { applyOperation, type DocumentOperation, documentId, type StampedChange } from "./merge.js";
import { queryInUtc } from "./requestQuery.js";
import { type RequestTextOptions, storableRequest } from "./requestText.js";
import { assertStorableChange, assertStorableRequest } from "./storable.js";
import type {
  Change,
  DocumentKind,
  Documents,
  OptimizerStore,
  RequestQuery,
  StoreAbilities,
  StoreEvent,
} from "./store.js";

/** Options of every store. */
export interface StoreOptions extends RequestTextOptions {
  readonly logger?: Logger;
  /** Milliseconds since 1970. Default `Date.now`. */
  readonly now?: () => number;
  /** How often changes by others are looked for, in milliseconds. Default 500. */
  readonly pollMs?: number;
  /** Writes are refused while this many bytes wait for a store out of reach. Default 64 MiB. */
  readonly maxQueuedBytes?: number;
  /**
   * How long writes gather before they are stored together, in milliseconds. Default 0: at once. A program that
   * awaits none of them saves most of their cost, and loses at most so much when it is killed.
   */
  readonly gatherMs?: number;
}

/** Request ids remembered so that a request is not appended twice. */
const RECENT_REQUESTS = 20_000;
const MAX_COMMIT_BYTES = 512 * 1024;

/** Makes a store of a driver. */
export class QueuedStore implements OptimizerStore {
  readonly location: string;
  readonly abilities: StoreAbilities;
  readonly #backend: Backend;
  readonly #options: StoreOptions;
  readonly #logger: Logger;
  readonly #now: () => number;
  readonly #tables: Record<DocumentKind, DocumentTable> = {
    templates: new DocumentTable(),
    profiles: new DocumentTable(),
    rules: new DocumentTable(),
    settings: new DocumentTable(),
  };
  readonly #operations: CommitQueue<QueuedOperation>;
  readonly #requests: CommitQueue<QueuedRequest>;
  readonly #recent = new Map<string, Promise<void>>();
  readonly #listeners = new Set<(event: StoreEvent) => void>();
  readonly #ready: Promise<void>;
  readonly #poll: NodeJS.Timeout;
  #isLoaded = false;
  #final: unknown;
  #sequence = 0;
  /** Tail of the calls to the backend that must not overlap. */
  #turn: Promise<unknown> = Promise.resolve();
  #polling = false;
  #closing: Promise<void> | null = null;
  #lastWarning = "";
  readonly #stop = new AbortController();

  constructor(backend: Backend, options: StoreOptions = {}) {
    this.#backend = backend;
    this.#options = options;
    this.#logger = options.logger ?? silentLogger;
    this.#now = options.now ?? Date.now;
    this.location = backend.location;
    this.abilities = backend.abilities;
    const queue = {
      patienceMs: backend.patienceMs,
      isPassing,
      maxQueuedBytes: options.maxQueuedBytes ?? 64 * 1024 * 1024,
      maxCommitBytes: MAX_COMMIT_BYTES,
      gatherMs: options.gatherMs,
      onFailure: (error: unknown) => this.#warnOnce(error),
    };
    this.#operations = new CommitQueue({
      ...queue,
      onFailure: (error) => {
        // Learned a moment after the last call. A call that is itself too late is told of by its request.
        const isLate = OptimizerError.isInstance(error) && error.code === "STORE_CLOSED";
        if (!isLate) this.#warnOnce(error);
      },
      commit: (operations) => this.#inTurn(() => this.#commit(operations)),
      onDropped: ({ kind, operation, sequence }) =>
        this.#tables[kind].settle(sequence, documentId(operation)),
    });
    this.#requests = new CommitQueue({
      ...queue,
      commit: (requests) => this.#append(requests),
    });
    this.#ready = this.#inTurn(() => this.#load());
    this.#ready.catch((error: unknown) => this.#warnOnce(error));
    this.#poll = setInterval(() => this.#pollOthers(), options.pollMs ?? 500);
    this.#poll.unref();
  }

  ready(): Promise<void> {
    return this.#ready;
  }

  get<K extends DocumentKind>(kind: K, id: string): Documents[K] | undefined {
    return this.#tables[kind].get(id) as Documents[K] | undefined;
  }

  list<K extends DocumentKind>(kind: K): Iterable<Documents[K]> {
    return this.#tables[kind].list() as Iterable<unknown> as Iterable<Documents[K]>;
  }

  merge<K extends DocumentKind>(kind: K, change: Change<Documents[K]>): Promise<void> {
    return this.#propose("merge", kind, change);
  }

  create<K extends DocumentKind>(kind: K, document: Change<Documents[K]>): Promise<Documents[K]> {
    const created = this.#propose("create", kind, document).then(() => {
      const stored = this.get(kind, document.id);
      if (stored !== undefined) return stored;
      throw new OptimizerError({
        code: "STORE_DOCUMENT_REMOVED",
        message: `${kind} "${document.id}" was removed while it was created`,
        remedy: "Create it again.",
      });
    });
    created.catch(() => {});
    return created;
  }

  remove(kind: DocumentKind, id: string): Promise<void> {
    try {
      assertStorableChange(kind, { id });
    } catch (error) {
      return this.#refuse(error);
    }
    return this.#queue(kind, { type: "remove", id }, id.length);
  }

  append(request: RequestRecord): Promise<void> {
    const known = this.#recent.get(request.id);
    if (known !== undefined) return known;
    let storable: RequestRecord;
    let text: string;
    try {
      assertStorableRequest(request);
      storable = storableRequest(request, this.#options, this.#logger);
      text = JSON.stringify(storable);
    } catch (error) {
      return this.#refuse(error);
    }
    const added = this.#requests.add({ request: storable, text }, text.length);
    this.#recent.set(request.id, added);
    added.catch((error: unknown) => {
      if (isRefused(error)) this.#recent.delete(request.id);
    });
    if (this.#recent.size > RECENT_REQUESTS) {
      for (const oldest of this.#recent.keys()) {
        this.#recent.delete(oldest);
        break;
      }
    }
    return added;
  }

  requests(query: RequestQuery = {}): AsyncIterable<RequestRecord> {
    return this.#backend.requests(queryInUtc(query));
  }

  subscribe(listener: (event: StoreEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async flush(): Promise<void> {
    await Promise.all([this.#operations.flush(), this.#requests.flush()]);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    clearInterval(this.#poll);
    this.#stop.abort();
    const results = await Promise.allSettled([this.#operations.close(), this.#requests.close()]);
    await this.#inTurn(() => this.#backend.close(this.#memory));
    for (const result of results) if (result.status === "rejected") throw result.reason;
  }

  async #load(): Promise<void> {
    const start = performance.now();
    for (let attempt = 0; ; attempt++) {
      try {
        await this.#backend.load(this.#memory);
        this.#isLoaded = true;
        return;
      } catch (error) {
        const isFinal = !isPassing(error);
        if (isFinal) this.#final = error;
        if (isFinal || performance.now() - start > this.#backend.patienceMs || this.#stop.signal.aborted) {
          throw error;
        }
        this.#warnOnce(error);
        await new Promise((resolve) => setTimeout(resolve, Math.min(1000, 50 * 2 ** attempt)));
      }
    }
  }

  async #commit(operations: readonly QueuedOperation[]): Promise<{ stored: number; error?: unknown }> {
    if (this.#final !== undefined) return { stored: 0, error: this.#final };
    if (!this.#isLoaded) {
      try {
        await this.#load();
      } catch (error) {
        return { stored: 0, error };
      }
    }
    const committed = await this.#backend.commit(operations, this.#memory);
    if (committed.stored > 0) this.#lastWarning = "";
    return committed;
  }

  async #append(requests: readonly QueuedRequest[]): Promise<{ stored: number; error?: unknown }> {
    if (this.#final !== undefined) return { stored: 0, error: this.#final };
    return this.#backend.append(requests);
  }

  #propose<K extends DocumentKind>(
    type: "merge" | "create",
    kind: K,
    change: Change<Documents[K]>,
  ): Promise<void> {
    let text: string;
    let stamped: StampedChange;
    try {
      text = JSON.stringify(this.#stamp(kind, change));
      // What is remembered is exactly what is stored, and the caller may go on changing its object.
      stamped = JSON.parse(text) as StampedChange;
    } catch (error) {
      return this.#refuse(error);
    }
    return this.#queue(kind, { type, change: stamped }, text.length);
  }

  /** A rejection that nobody needs to await. */
  #refuse(error: unknown): Promise<never> {
    this.#warnOnce(error);
    const refused = Promise.reject(error);
    refused.catch(() => {});
    return refused;
  }

  #stamp<K extends DocumentKind>(kind: K, change: Change<Documents[K]>): StampedChange {
    assertStorableChange(kind, change);
    const current = this.get(kind, change.id);
    const now = new Date(this.#now()).toISOString();
    const { createdAt, ...rest } = change;
    const updatedAt = change.updatedAt ?? now;
    return {
      ...rest,
      counts: change.counts as Counts | undefined,
      schemaVersion: this.#backend.schemaVersion,
      // A writer that has seen the present document comes after it, even when its clock was put back.
      updatedAt: current !== undefined && current.updatedAt > updatedAt ? current.updatedAt : updatedAt,
      ...(current === undefined || (createdAt !== undefined && createdAt < current.createdAt)
        ? { createdAt: createdAt ?? updatedAt }
        : {}),
    };
  }

  #queue(kind: DocumentKind, operation: DocumentOperation, bytes: number): Promise<void> {
    const sequence = ++this.#sequence;
    this.#tables[kind].propose(sequence, operation);
    return this.#operations.add({ kind, operation, sequence }, bytes);
  }

  #pollOthers(): void {
    if (this.#polling || this.#final !== undefined) return;
    this.#polling = true;
    this.#inTurn(() => (this.#isLoaded ? this.#backend.poll(this.#memory) : this.#load()))
      .catch((error: unknown) => this.#warnOnce(error))
      .finally(() => {
        this.#polling = false;
      });
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => {});
    return result;
  }

  readonly #memory: Memory = {
    keepOnly: (kind, ids) => {
      for (const id of this.#tables[kind].keepOnly(ids)) this.#announce(kind, id);
    },
    put: (kind, id, document, own = []) => {
      const table = this.#tables[kind];
      const isExpected =
        this.#isHeard &&
        typeof document !== "string" &&
        isDeepStrictEqual(document, expected(table, id, own));
      for (const { sequence } of own) table.settle(sequence, id);
      table.put(id, document);
      if (!isExpected) this.#announce(kind, id);
    },
    apply: (kind, operation, own) => {
      const table = this.#tables[kind];
      table.apply(operation);
      const id = documentId(operation);
      if (own === undefined) this.#announce(kind, id);
      else table.settle(own, id);
    },
    settle: ({ kind, operation, sequence }) => this.#tables[kind].settle(sequence, documentId(operation)),
    snapshot: (kind) => this.#tables[kind].snapshot(),
  };

  get #isHeard(): boolean {
    return this.#isLoaded && this.#listeners.size > 0;
  }

  #announce(kind: DocumentKind, id: string): void {
    if (!this.#isHeard) return;
    const event: StoreEvent = { kind, id, record: this.#tables[kind].get(id) ?? null };
    for (const listener of this.#listeners) {
      try {
        listener(event);
      } catch (error) {
        this.#warnOnce(error);
      }
    }
  }

  #warnOnce(error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    if (message === this.#lastWarning) return;
    this.#lastWarning = message;
    this.#logger.warn(message);
  }
}

/** What a document is after own operations, unless others did something to it too. */
function expected(table: DocumentTable, id: string, own: readonly QueuedOperation[]): StoredRecord | null {
  let record = table.confirmed(id);
  for (const { operation } of own) record = applyOperation(record, operation);
  return record ?? null;
}

/** A server that does not answer may answer later, as may a disk; a store of another version stays what it is. */
function isPassing(error: unknown): boolean {
  return (
    !OptimizerError.isInstance(error) ||
    error.code === "STORE_UNREACHABLE" ||
    error.code === "STORE_READ_FAILED"
  );
}

/** It is not in the queue any more, and may be given again. */
function isRefused(error: unknown): boolean {
  return (
    OptimizerError.isInstance(error) && (error.code === "STORE_QUEUE_FULL" || error.code === "STORE_CLOSED")
  );
}

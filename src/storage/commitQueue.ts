/**
 * Group commit: what arrives while one commit runs goes into the next, so that many writers share one fsync or one
 * round trip. What could not be committed stays in the queue and is tried again.
 */
import { OptimizerError } from "../errors.js";

/** How far a commit came. */
export interface Committed {
  /** The first so many items are durable. */
  readonly stored: number;
  /** Why it went no further. */
  readonly error?: unknown;
  /** So many more were written, but syncing them failed: not durable, and not to be written again. */
  readonly unsynced?: number;
}

export interface CommitQueueOptions<T> {
  /** Makes the items durable, in order. One that throws stored nothing. */
  readonly commit: (items: readonly T[]) => Promise<Committed>;
  /** How long a write may wait for a store out of reach before it rejects, in milliseconds. */
  readonly patienceMs: number;
  /** Whether an error may pass by itself, so that waiting is worth it. */
  readonly isPassing: (error: unknown) => boolean;
  /** A write is refused beyond this many bytes in the queue. */
  readonly maxQueuedBytes: number;
  /** Bytes that go into one commit. */
  readonly maxCommitBytes: number;
  /** How long writes gather before a commit, in milliseconds, unless so many bytes wait or somebody flushes. Default 0. */
  readonly gatherMs?: number;
  /** A write was refused or given up. */
  readonly onDropped?: (item: T) => void;
  readonly onFailure: (error: unknown) => void;
}

interface Entry<T> {
  readonly item: T;
  readonly bytes: number;
  readonly since: number;
  waiting: { resolve(): void; reject(error: unknown): void } | null;
}

/** Pause before a failed commit is tried again, in milliseconds. */
const RETRY_MS = 250;

export class CommitQueue<T> {
  readonly #options: CommitQueueOptions<T>;
  #entries: Entry<T>[] = [];
  #bytes = 0;
  #running: Promise<void> | null = null;
  #gathering: NodeJS.Timeout | null = null;
  #retry: NodeJS.Timeout | null = null;
  #closed = false;

  constructor(options: CommitQueueOptions<T>) {
    this.#options = options;
  }

  /** Queues an item. The promise settles as `OptimizerStore.merge` says; nobody needs to await it. */
  add(item: T, bytes: number): Promise<void> {
    if (this.#closed) return this.#refuse(item, closedError());
    if (this.#bytes + bytes > this.#options.maxQueuedBytes) {
      return this.#refuse(
        item,
        new OptimizerError({
          code: "STORE_QUEUE_FULL",
          message: `${this.#bytes} bytes wait to be stored, the limit is ${this.#options.maxQueuedBytes}`,
          remedy: "Make the store writable or reachable again; see the earlier warnings for the reason.",
        }),
      );
    }
    const promise = new Promise<void>((resolve, reject) => {
      this.#entries.push({ item, bytes, since: performance.now(), waiting: { resolve, reject } });
    });
    promise.catch(() => {});
    this.#bytes += bytes;
    if (this.#retry === null) this.#start();
    else this.#retry.ref();
    return promise;
  }

  /** Resolves when the queue is empty; rejects with the reason when a commit fails meanwhile. */
  async flush(): Promise<void> {
    while (this.#entries.length > 0) {
      const error = await this.#attempt();
      if (error !== undefined) throw error;
    }
  }

  /** Tries once more, then gives up what is left. */
  async close(): Promise<void> {
    this.#closed = true;
    const error = await this.flush().then(
      () => undefined,
      (reason: unknown) => reason,
    );
    if (this.#retry !== null) clearTimeout(this.#retry);
    for (const { item, waiting } of this.#entries.splice(0)) {
      waiting?.reject(closedError(error));
      this.#options.onDropped?.(item);
    }
    if (error !== undefined) throw error;
  }

  #refuse(item: T, error: OptimizerError): Promise<void> {
    this.#options.onDropped?.(item);
    this.#options.onFailure(error);
    const refused = Promise.reject(error);
    refused.catch(() => {});
    return refused;
  }

  #start(): void {
    if (this.#running !== null) return;
    const { gatherMs = 0, maxCommitBytes } = this.#options;
    if (gatherMs > 0 && this.#bytes < maxCommitBytes) {
      this.#gathering ??= setTimeout(() => {
        this.#gathering = null;
        this.#run(this.#commitOnce());
      }, gatherMs);
      return;
    }
    this.#gatherNoMore();
    // After the caller's turn, so that a burst in one turn is one commit.
    this.#run(Promise.resolve().then(() => this.#commitOnce()));
  }

  #gatherNoMore(): void {
    if (this.#gathering !== null) clearTimeout(this.#gathering);
    this.#gathering = null;
  }

  #run(work: Promise<unknown>): void {
    this.#running = work.then(() => {
      this.#running = null;
      // What was added by callers who were just told that theirs is stored.
      // Once closed, only close() itself tries again.
      if (!this.#closed && this.#entries.length > 0 && this.#retry === null) this.#start();
    });
  }

  async #attempt(): Promise<unknown> {
    while (this.#running !== null) await this.#running;
    this.#gatherNoMore();
    if (this.#entries.length === 0) return undefined;
    let error: unknown;
    this.#run(
      this.#commitOnce().then((reason) => {
        error = reason;
      }),
    );
    await this.#running;
    return error;
  }

  async #commitOnce(): Promise<unknown> {
    const batch: Entry<T>[] = [];
    let bytes = 0;
    for (const entry of this.#entries) {
      if (batch.length > 0 && bytes + entry.bytes > this.#options.maxCommitBytes) break;
      batch.push(entry);
      bytes += entry.bytes;
    }
    const { stored, error, unsynced = 0 } = await this.#commit(batch.map(({ item }) => item));
    for (const entry of this.#take(stored)) entry.waiting?.resolve();
    for (const entry of this.#take(unsynced)) entry.waiting?.reject(error);
    if (error === undefined) return undefined;
    this.#options.onFailure(error);
    this.#rejectImpatient(error);
    this.#retryLater();
    return error;
  }

  async #commit(items: readonly T[]): Promise<Committed> {
    try {
      return await this.#options.commit(items);
    } catch (error) {
      return { stored: 0, error };
    }
  }

  #take(count: number): Entry<T>[] {
    const taken = this.#entries.splice(0, count);
    for (const { bytes } of taken) this.#bytes -= bytes;
    return taken;
  }

  #rejectImpatient(error: unknown): void {
    const now = performance.now();
    const isPassing = this.#options.isPassing(error);
    for (const entry of this.#entries) {
      if (isPassing && now - entry.since < this.#options.patienceMs) break;
      entry.waiting?.reject(error);
      entry.waiting = null;
    }
  }

  #retryLater(): void {
    if (this.#closed || this.#retry !== null || this.#entries.length === 0) return;
    this.#retry = setTimeout(() => {
      this.#retry = null;
      this.#start();
    }, RETRY_MS);
    // Only a caller that still waits keeps the process alive.
    if (this.#entries.every(({ waiting }) => waiting === null)) this.#retry.unref();
  }
}

function closedError(cause?: unknown): OptimizerError {
  return new OptimizerError({
    code: "STORE_CLOSED",
    message: "The store is closed",
    remedy: "Close it only after the last call, and open it again to go on.",
    cause,
  });
}

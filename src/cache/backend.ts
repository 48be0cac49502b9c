/**
 * Where cached values lie. The smallest contract: one value by key, what is known of it, and all of them in the
 * order of their last use. Expiry, bounds and statistics are the cache's own, so that every place behaves alike.
 */

/** At once where a place can, a promise where it cannot. */
export type Awaitable<T> = T | Promise<T>;

/** What is known of a cached value beside the value. Times in milliseconds since 1970. */
export interface CacheEntryInfo {
  readonly key: string;
  readonly storedAt: number;
  /** null: never. */
  readonly expiresAt: number | null;
  readonly usedAt: number;
  readonly hits: number;
  /** Of key and value. */
  readonly bytes: number;
}

export interface CacheEntry extends CacheEntryInfo {
  readonly value: string;
}

/** What a cache stores: used when it was stored, hit never. */
export type NewEntry = Pick<CacheEntry, "key" | "value" | "storedAt" | "expiresAt">;

/** A place for cached values. What is damaged or unreadable in it is absent. Failures reject; the cache goes on. */
export interface CacheBackend {
  /** For people: a folder, a server, "memory". */
  readonly location: string;
  /** An entry, expired or not; undefined when there is none that can be read. */
  get(key: string): Awaitable<CacheEntry | undefined>;
  /** Stores an entry in place of one with its key. */
  set(entry: NewEntry): Awaitable<void>;
  /** Notes one more hit at `usedAt`; nothing when the entry is gone. */
  touch(key: string, usedAt: number, expiresAt: number | null): Awaitable<void>;
  /** @returns how many there were */
  delete(keys: readonly string[]): Awaitable<number>;
  /** Least recently used first. What changes meanwhile may be missed. */
  entries(): AsyncIterable<CacheEntryInfo>;
  /** How much is kept. */
  size(): Awaitable<{ readonly entries: number; readonly bytes: number }>;
  /** Releases files and timers. Clients that were passed in stay open. */
  close(): Promise<void>;
}

/**
 * Bytes of a key with its value, in UTF-8.
 *
 * @example entryBytes("ä", "12") // 4
 */
export function entryBytes(key: string, value: string): number {
  return Buffer.byteLength(key) + Buffer.byteLength(value);
}

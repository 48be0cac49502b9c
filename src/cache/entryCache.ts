/** Values by key with a time to live, bounds and statistics, over any place. What every cache here is built of. */
import { type CacheBackend, type CacheEntry, type CacheEntryInfo, entryBytes } from "./backend.js";
import { Flights, type Land } from "./flights.js";
import { Harmless } from "./harmless.js";
import { isPattern, keyPattern } from "./keyPattern.js";
import { memoryBackend } from "./memoryBackend.js";
import {
  type CacheOptions,
  checkCacheOptions,
  checkTtl,
  DEFAULT_MAX_BYTES,
  DEFAULT_MAX_ENTRIES,
  DEFAULT_TTL_SECONDS,
  type TimeToLive,
} from "./options.js";
import { type CacheStatistics, Tally } from "./statistics.js";
import { type GapCounts, learnedTtlSeconds, withGap } from "./timeToLive.js";

/** How much is freed at once when a bound is passed. */
const FREED = 0.1;
/** Clocks of machines that share a place may differ by so much, in milliseconds. */
const CLOCK_SKEW_MS = 60_000;
/** Rarely needed and a tenth of everything, so it may take longer than a single look. */
const MAKE_ROOM_MS = 30_000;
const NOTHING = { entries: 0, bytes: 0 };

/** A found value, and what is known of it; this hit is counted in. */
export interface CacheHit<T> {
  readonly value: T;
  readonly storedAt: number;
  readonly hits: number;
}

/**
 * Values by key. Nothing here rejects because of the place they lie in: what cannot be read is a miss, what cannot
 * be stored is not, and the logger hears of it once.
 *
 * @example
 * const cache = new EntryCache({ ttlSeconds: 60 });
 * await cache.set("a", "1");
 * (await cache.get("a"))?.value // "1"
 * await cache.invalidate("a") // 1
 * await cache.get("a") // undefined
 */
export class EntryCache {
  readonly tally: Tally = new Tally();
  readonly backend: CacheBackend;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  #ttl: TimeToLive;
  readonly #maxEntries: number;
  readonly #maxBytes: number;
  readonly #place: Harmless;
  readonly #flights = new Flights();
  #gaps: GapCounts = [];
  /** What may still be stored before the place is asked how full it is: half of what was free. */
  #roomEntries = 0;
  #roomBytes = 0;

  /** @throws OptimizerError `OPTION_INVALID` */
  constructor(options: CacheOptions = {}) {
    checkCacheOptions(options);
    this.backend = options.backend ?? memoryBackend();
    this.now = options.now ?? Date.now;
    this.#ttl = options.ttlSeconds === undefined ? DEFAULT_TTL_SECONDS : options.ttlSeconds;
    this.#maxEntries = options.maxEntries ?? DEFAULT_MAX_ENTRIES;
    this.#maxBytes = options.maxBytes ?? DEFAULT_MAX_BYTES;
    this.#place = new Harmless(`The cache in ${this.backend.location}`, options.logger, this.now);
  }

  /** A value that is there and has not expired. Counts a hit or a miss. */
  get(key: string): Promise<CacheHit<string> | undefined> {
    return this.read(key, (value) => value);
  }

  /** Like {@link get}, read by a function; what it cannot read (null, or it throws) is a miss. */
  async read<T>(key: string, parse: (value: string) => T | null): Promise<CacheHit<T> | undefined> {
    const entry = await this.#place.run(() => this.backend.get(key), undefined);
    const now = this.now();
    if (!entry || !isPlausible(entry, now)) return this.#missed();
    if (this.#ttl === "learned") this.#gaps = withGap(this.#gaps, (now - entry.usedAt) / 1000);
    if (entry.expiresAt !== null && entry.expiresAt <= now) return this.#missed();
    const value = parsed(entry.value, parse);
    if (value === null) return this.#missed();
    this.tally.hits++;
    this.#touch(entry, now);
    return { value, storedAt: entry.storedAt, hits: entry.hits + 1 };
  }

  /**
   * Stores a value and makes room for it where there is none.
   *
   * @param ttlSeconds of this entry alone
   * @throws OptimizerError `OPTION_INVALID` for a time to live that is none
   */
  async set(key: string, value: string, ttlSeconds: TimeToLive = this.#ttl): Promise<void> {
    checkTtl(ttlSeconds);
    if (this.#flights.isOutdated(key)) return;
    // It would drive everything else out, and itself.
    if (entryBytes(key, value) > this.#maxBytes * (1 - FREED)) {
      this.tally.skipped.other++;
      return;
    }
    const storedAt = this.now();
    const expiresAt = this.#expiry(storedAt, ttlSeconds);
    await this.#place.run(() => this.backend.set({ key, value, storedAt, expiresAt }), undefined);
    this.#roomEntries--;
    this.#roomBytes -= entryBytes(key, value);
    if (this.#roomEntries >= 0 && this.#roomBytes >= 0) return;
    await this.#place.run(() => this.#makeRoom(), undefined, MAKE_ROOM_MS);
  }

  /**
   * From now on new entries live so long.
   *
   * @throws OptimizerError `OPTION_INVALID`
   */
  setTtl(ttlSeconds: TimeToLive): void {
    checkTtl(ttlSeconds);
    this.#ttl = ttlSeconds;
  }

  /**
   * Removes one entry by its key, those that a pattern or regular expression means, or all. What calls of this
   * program that are under way bring for them is not stored either.
   *
   * @param which a key, a pattern with `*` or `?`, a RegExp; left out, everything
   * @returns how many were removed
   * @throws what the place says when it is away: a wrong reply that stays must not look removed
   */
  async invalidate(which?: string | RegExp): Promise<number> {
    const isKey = typeof which === "string" && !isPattern(which);
    const isMeant = which === undefined ? () => true : keyPattern(which);
    this.#flights.outdate(isMeant);
    if (isKey) return this.#remove([which]);
    return this.#removeIf(({ key }) => isMeant(key));
  }

  /** Removes what has expired. @returns how many */
  async clearExpired(): Promise<number> {
    const now = this.now();
    return this.#removeIf(({ expiresAt }) => expiresAt !== null && expiresAt <= now);
  }

  /** What is known of every entry, least recently used first; hit counts among it. */
  entries(): AsyncIterable<CacheEntryInfo> {
    return this.backend.entries();
  }

  /** Figures since it was opened, and what is kept now. */
  async statistics(): Promise<CacheStatistics> {
    const { entries, bytes } = await this.#place.run(() => this.backend.size(), NOTHING);
    const { hits, misses, hitRate, timeSavedMs, costSaved, evictions, skipped } = this.tally;
    return {
      size: entries,
      maxSize: this.#maxEntries,
      bytes,
      maxBytes: this.#maxBytes,
      hits,
      misses,
      hitRate,
      ttlSeconds: this.#seconds(this.#ttl),
      requestsSaved: hits,
      timeSavedMs,
      costSaved,
      evictions,
      skipped: { ...skipped },
      failures: this.#place.failures,
    };
  }

  /** Waits while an equal call is under way; see `flights.ts`. */
  enter(key: string, signal?: AbortSignal): Promise<Land> {
    return this.#flights.enter(key, signal);
  }

  /** Work on the place that may fail without harm. */
  safely<T, F>(work: () => T | Promise<T>, fallback: F): Promise<T | F> {
    return this.#place.run(work, fallback);
  }

  /** Writes what waits and releases files and timers. Clients that were passed in stay open. */
  close(): Promise<void> {
    return this.backend.close();
  }

  #missed(): undefined {
    this.tally.misses++;
    return undefined;
  }

  /** In the background: a hit does not wait for its own count. */
  #touch(entry: CacheEntry, now: number): void {
    // A learned time to live is the longest wait for the next use, so it begins anew with each.
    const expiresAt = this.#ttl === "learned" ? this.#expiry(now, this.#ttl) : entry.expiresAt;
    void this.#place.run(() => this.backend.touch(entry.key, now, expiresAt), undefined);
  }

  #seconds(ttl: TimeToLive): number | null {
    return ttl === "learned" ? (learnedTtlSeconds(this.#gaps) ?? DEFAULT_TTL_SECONDS) : ttl;
  }

  #expiry(from: number, ttl: TimeToLive): number | null {
    const seconds = this.#seconds(ttl);
    return seconds === null ? null : from + seconds * 1000;
  }

  async #makeRoom(): Promise<void> {
    const { entries, bytes } = await this.backend.size();
    this.#roomEntries = Math.floor((this.#maxEntries - entries) / 2);
    this.#roomBytes = (this.#maxBytes - bytes) / 2;
    if (entries <= this.#maxEntries && bytes <= this.#maxBytes) return;
    const most = entries > this.#maxEntries ? Math.floor(this.#maxEntries * (1 - FREED)) : this.#maxEntries;
    const mostBytes = bytes > this.#maxBytes ? this.#maxBytes * (1 - FREED) : this.#maxBytes;
    const all: CacheEntryInfo[] = [];
    for await (const entry of this.backend.entries()) all.push(entry);
    // Counted again: Redis removes what expired long ago, and its size says so only after the listing.
    let left = all.length;
    let leftBytes = all.reduce((sum, entry) => sum + entry.bytes, 0);
    const leaving: string[] = [];
    for (const entry of all) {
      // The newest stays unless it alone is too much: bounds of one entry would keep none.
      if (left <= Math.max(1, most) && leftBytes <= mostBytes) break;
      leaving.push(entry.key);
      left--;
      leftBytes -= entry.bytes;
    }
    this.tally.evictions += await this.backend.delete(leaving);
  }

  async #remove(keys: readonly string[]): Promise<number> {
    return keys.length === 0 ? 0 : this.backend.delete(keys);
  }

  async #removeIf(leaves: (entry: CacheEntryInfo) => boolean): Promise<number> {
    const keys: string[] = [];
    for await (const entry of this.entries()) if (leaves(entry)) keys.push(entry.key);
    return this.#remove(keys);
  }
}

function parsed<T>(value: string, parse: (value: string) => T | null): T | null {
  try {
    return parse(value);
  } catch {
    return null;
  }
}

/** Times that are no numbers, negative or of the future come from damage; such an entry is none. */
function isPlausible({ storedAt, usedAt, expiresAt }: CacheEntry, now: number): boolean {
  const latest = now + CLOCK_SKEW_MS;
  const isTime = (time: number) => time >= 0 && time <= latest;
  return isTime(storedAt) && isTime(usedAt) && (expiresAt === null || expiresAt >= storedAt);
}

/** Cached values in a folder that several processes of a machine share. */
import { randomBytes } from "node:crypto";
import { mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { fileErrorCode, writeFailure } from "../../storage/json/failure.js";
import { assertRealFolder, FOLDER_MODE } from "../../storage/json/folder.js";
import { underLock } from "../../storage/json/lock.js";
import type { CacheBackend, CacheEntry, CacheEntryInfo, NewEntry } from "../backend.js";
import { FolderIndex } from "./folderIndex.js";
import { type LinePlace, SegmentFile } from "./segmentFile.js";
import { deleteLine, readLine, setLine, storedValue, type TouchLine, touchLine } from "./segmentLine.js";

/** Tuning; the defaults are right. */
export interface FolderBackendOptions {
  /** What others have written is looked for so often, in milliseconds. @default 1000 */
  readonly refreshMs?: number;
  /** Files are written anew when they hold more than this and twice what is alive. @default 8 MiB */
  readonly compactBytes?: number;
  /** Milliseconds since 1970. Default `Date.now`. */
  readonly now?: () => number;
}

const SUBFOLDER = "cache";
const SEGMENT = /^[0-9a-f]{12}-\d+\.log$/;
/** Each process writes a file of its own; short-lived ones leave many small ones. */
const MAX_SEGMENTS = 16;
/** A removal waits so long for a process that rewrites the files, in milliseconds. */
const LOCK_WAIT_MS = 20_000;
/** Hits are written together, so late, in milliseconds. */
const TOUCH_MS = 5_000;
const LINES_PER_TURN = 2_000;
const LINES_PER_COMPACTING_TURN = 200;
/** Rewriting pays at most once in so long, in milliseconds. */
const COMPACT_AGAIN_MS = 60_000;

/**
 * Keeps cached values below a store's folder (or any folder), in files that are only appended to. Several
 * processes may share it: they see what the others stored and removed within a second. Nothing is synced to disk:
 * after a loss of power entries may be missing, and one that is damaged is missing too.
 *
 * @throws OptimizerError `STORE_FOLDER_LINK`, `STORE_NOT_A_FOLDER`, `STORE_READ_ONLY`
 * @example
 * const cache = new ExactCache({ backend: folderBackend("./optimizer"), maxEntries: 100_000 });
 */
export function folderBackend(folder: string, options: FolderBackendOptions = {}): CacheBackend {
  return new FolderBackend(resolve(folder, SUBFOLDER), options);
}

class FolderBackend implements CacheBackend {
  readonly #index = new FolderIndex();
  readonly #segments = new Map<string, SegmentFile>();
  readonly #writer = randomBytes(6).toString("hex");
  readonly #now: () => number;
  readonly #refreshMs: number;
  readonly #compactBytes: number;
  #own: SegmentFile | null = null;
  #generation = 0;
  #isLoaded = false;
  #refreshing: Promise<void> | null = null;
  #refreshedAt = Number.NEGATIVE_INFINITY;
  /** One reader of the files at a time: who is first closes those that are gone. */
  #turn: Promise<void> = Promise.resolve();
  #compacting: Promise<void> | null = null;
  #compactedAt = Number.NEGATIVE_INFINITY;
  /** Hits that are not written yet, of the value that was stored at `storedAt`. */
  #touched = new Map<string, { readonly storedAt: number; readonly hits: number }>();
  #touchTimer: NodeJS.Timeout | undefined;

  constructor(
    readonly location: string,
    options: FolderBackendOptions,
  ) {
    this.#now = options.now ?? Date.now;
    this.#refreshMs = options.refreshMs ?? 1_000;
    this.#compactBytes = options.compactBytes ?? 8 * 1024 * 1024;
    this.#make();
  }

  /** Also while it is open: whoever removes the folder wants the replies gone, not the cache. */
  #make(): void {
    try {
      mkdirSync(this.location, { recursive: true, mode: FOLDER_MODE });
    } catch (error) {
      throw writeFailure(this.location, error);
    }
    assertRealFolder(this.location);
  }

  async get(key: string): Promise<CacheEntry | undefined> {
    await this.#refresh();
    const found = this.#index.get(key);
    if (!found) return undefined;
    const { segment, place, storedAt, expiresAt, usedAt, hits } = found;
    const value = storedValue(segment.read(place), key);
    if (value === null) {
      this.#index.forget(key);
      return undefined;
    }
    return { key, value, storedAt, expiresAt, usedAt, hits, bytes: place.length };
  }

  async set({ key, value, storedAt, expiresAt }: NewEntry): Promise<void> {
    await this.#refresh();
    const segment = this.#writable();
    const [place] = segment.append([setLine({ key, storedAt, expiresAt }, value)]);
    this.#index.forgetRemoval(key);
    this.#index.set({ key, storedAt, expiresAt }, segment, place!);
    this.#compactWhenDue();
  }

  async touch(key: string, usedAt: number, expiresAt: number | null): Promise<void> {
    const entry = this.#index.get(key);
    if (!entry) return;
    this.#index.touch({ key, usedAt, expiresAt, hits: 1 });
    this.#touched.set(key, { storedAt: entry.storedAt, hits: this.#unwritten(key, entry) + 1 });
    this.#writeTouchesLater();
  }

  /** Under the lock: who rewrites the files would otherwise bring back what is removed meanwhile. */
  async delete(keys: readonly string[]): Promise<number> {
    let removed = 0;
    const isDone = await underLock(this.location, LOCK_WAIT_MS, async () => {
      await this.#readOthers();
      const now = this.#now();
      const lines = keys.flatMap((key) => {
        const entry = this.#index.get(key);
        return entry ? [{ key, at: Math.max(now, entry.storedAt) }] : [];
      });
      if (lines.length === 0) return;
      this.#writable().append(lines.map(deleteLine));
      for (const line of lines) if (this.#index.delete(line)) removed++;
    });
    if (!isDone) throw new Error(`${this.location} is locked by another process`);
    return removed;
  }

  async *entries(): AsyncGenerator<CacheEntryInfo> {
    await this.#refresh();
    for (const key of this.#index.keys()) {
      const info = this.#index.info(key);
      if (info) yield info;
    }
  }

  async size(): Promise<{ readonly entries: number; readonly bytes: number }> {
    await this.#refresh();
    return { entries: this.#index.size, bytes: this.#index.bytes };
  }

  async close(): Promise<void> {
    clearTimeout(this.#touchTimer);
    await Promise.allSettled([this.#refreshing, this.#compacting, this.#turn]);
    try {
      this.#writeTouches();
    } finally {
      for (const segment of this.#segments.values()) segment.close();
      this.#segments.clear();
      this.#index.clear();
      this.#own = null;
      this.#isLoaded = false;
      this.#refreshedAt = Number.NEGATIVE_INFINITY;
    }
  }

  /** Waits for the first reading only; later ones go on beside the calls. */
  async #refresh(): Promise<void> {
    if (this.#isLoaded && this.#now() - this.#refreshedAt < this.#refreshMs) return;
    this.#refreshing ??= this.#readOthers().finally(() => {
      this.#refreshing = null;
    });
    if (!this.#isLoaded || this.#refreshMs === 0) await this.#refreshing;
    else this.#refreshing.catch(() => {});
  }

  #readOthers(): Promise<void> {
    return this.#inTurn(() => this.#read());
  }

  #inTurn(work: () => Promise<void> | void): Promise<void> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => {});
    return done;
  }

  async #read(): Promise<void> {
    this.#refreshedAt = this.#now();
    this.#make();
    const names = new Set(readdirSync(this.location).filter((name) => SEGMENT.test(name)));
    for (const name of names) {
      if (this.#segments.has(name)) continue;
      const segment = opened(name, join(this.location, name));
      if (segment) this.#segments.set(name, segment);
    }
    let lines = 0;
    const uses: TouchLine[] = [];
    for (const segment of [...this.#segments.values()]) {
      if (segment.isOwn) continue;
      for (const piece of segment.unread()) {
        for (const { line, place } of piece) this.#take(line, segment, place, uses);
        lines += piece.length;
        if (lines < LINES_PER_TURN) continue;
        lines = 0;
        await nextTurn();
      }
    }
    // Last: what is used in one file may be stored in another. Of a value that was replaced since, a use is none.
    for (const use of uses) {
      if (use.usedAt >= (this.#index.get(use.key)?.storedAt ?? 0)) this.#index.touch(use);
    }
    // After reading: what took the place of a removed file has been read by now.
    for (const [name, segment] of this.#segments) {
      if (names.has(name) || segment.isThere) continue;
      this.#segments.delete(name);
      this.#index.forgetSegment(segment);
      if (this.#own === segment) this.#own = null;
      segment.close();
    }
    if (this.#isLoaded) return;
    this.#index.sortByUse();
    this.#isLoaded = true;
  }

  #take(bytes: Buffer, segment: SegmentFile, place: LinePlace, uses: TouchLine[]): void {
    const line = readLine(bytes);
    if (line?.kind === "set") this.#index.set(line, segment, place);
    else if (line?.kind === "touch") uses.push(line);
    else if (line?.kind === "delete") this.#index.delete(line);
  }

  /** This process's own file; a new one when another process has replaced the files. */
  #writable(): SegmentFile {
    if (this.#own?.isThere) return this.#own;
    this.#own = this.#newSegment();
    return this.#own;
  }

  #newSegment(): SegmentFile {
    this.#make();
    const name = `${this.#writer}-${++this.#generation}.log`;
    const segment = new SegmentFile(name, join(this.location, name), true);
    this.#segments.set(name, segment);
    return segment;
  }

  #writeTouchesLater(): void {
    this.#touchTimer ??= setTimeout(() => {
      this.#touchTimer = undefined;
      // Who rewrites the files leaves out what is not written yet.
      if (this.#compacting) this.#writeTouchesLater();
      else this.#writeTouches();
    }, TOUCH_MS).unref();
  }

  /** Hits of an entry that no file has. */
  #unwritten(key: string, { storedAt }: { readonly storedAt: number }): number {
    const touched = this.#touched.get(key);
    return touched?.storedAt === storedAt ? touched.hits : 0;
  }

  #writeTouches(): void {
    clearTimeout(this.#touchTimer);
    this.#touchTimer = undefined;
    const lines = [...this.#touched.keys()].flatMap((key) => {
      const entry = this.#index.get(key);
      const hits = entry ? this.#unwritten(key, entry) : 0;
      return entry && hits > 0
        ? [touchLine({ key, usedAt: entry.usedAt, expiresAt: entry.expiresAt, hits })]
        : [];
    });
    this.#touched.clear();
    if (lines.length === 0) return;
    try {
      this.#writable().append(lines);
    } catch {
      // Hit counts of five seconds.
    }
  }

  #compactWhenDue(): void {
    if (this.#compacting || this.#now() - this.#compactedAt < COMPACT_AGAIN_MS) return;
    let bytes = 0;
    for (const segment of this.#segments.values()) bytes += segment.bytes;
    const isDue =
      this.#segments.size > MAX_SEGMENTS || bytes > Math.max(this.#compactBytes, 2 * this.#index.bytes);
    if (!isDue) return;
    this.#compactedAt = this.#now();
    this.#compacting = underLock(this.location, 0, () => this.#compact())
      // Another time; what is there stays as it is.
      .then(
        () => {},
        () => {},
      )
      .finally(() => {
        this.#compacting = null;
      });
  }

  /** Writes what is alive into one file and removes the others. */
  async #compact(): Promise<void> {
    const began = this.#now();
    await this.#readOthers();
    const old = [...this.#segments.values()];
    // What is stored meanwhile goes to a new file, which stays.
    const meanwhile = this.#newSegment();
    this.#own = meanwhile;
    // Of a process that was killed at this.
    for (const name of readdirSync(this.location)) {
      if (name.endsWith(".tmp")) rmSync(join(this.location, name), { force: true });
    }
    const name = `${this.#writer}-${++this.#generation}.log`;
    const path = join(this.location, name);
    const whole = new SegmentFile(name, `${path}.tmp`, true);
    const moved: [key: string, from: SegmentFile, place: LinePlace][] = [];
    for (const key of this.#index.keys()) {
      const entry = this.#index.get(key);
      if (!entry || entry.segment === meanwhile) continue;
      const { segment, usedAt, expiresAt } = entry;
      const hits = entry.hits - this.#unwritten(key, entry);
      const line = segment.read(entry.place);
      if (storedValue(line, key) === null) continue;
      const lines = [line.toString(), ...(hits > 0 ? [touchLine({ key, usedAt, expiresAt, hits })] : [])];
      moved.push([key, segment, whole.append(lines)[0]!]);
      if (moved.length % LINES_PER_COMPACTING_TURN === 0) await nextTurn();
    }
    await this.#inTurn(() => {
      renameSync(`${path}.tmp`, path);
      this.#segments.set(name, whole);
      for (const [key, from, place] of moved) this.#index.move(key, from, whole, place);
      for (const segment of old) {
        rmSync(join(this.location, segment.name), { force: true });
        this.#segments.delete(segment.name);
        this.#index.forgetSegment(segment);
        segment.close();
      }
      this.#index.forgetRemovalsBefore(began);
    });
  }
}

/** Null when another process removed it just now. */
function opened(name: string, path: string): SegmentFile | null {
  try {
    return new SegmentFile(name, path, false);
  } catch (error) {
    if (fileErrorCode(error) === "ENOENT") return null;
    throw error;
  }
}

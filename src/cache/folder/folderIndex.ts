/** What lies where in the segments of a cache: the newest line of every key, least recently used first. */
import type { CacheEntryInfo } from "../backend.js";
import type { LinePlace, SegmentFile } from "./segmentFile.js";
import type { DeleteLine, SetLine, TouchLine } from "./segmentLine.js";

/** A stored value. Times in milliseconds since 1970. */
export interface Indexed {
  readonly segment: SegmentFile;
  readonly place: LinePlace;
  readonly storedAt: number;
  expiresAt: number | null;
  usedAt: number;
  hits: number;
}

export class FolderIndex {
  readonly #byKey = new Map<string, Indexed>();
  /** Lines of several files come in no order: what was removed must not come back by an older line. */
  readonly #removedAt = new Map<string, number>();
  #bytes = 0;

  get size(): number {
    return this.#byKey.size;
  }

  /** Of the lines that hold the values. */
  get bytes(): number {
    return this.#bytes;
  }

  get(key: string): Indexed | undefined {
    return this.#byKey.get(key);
  }

  keys(): string[] {
    return [...this.#byKey.keys()];
  }

  set({ key, storedAt, expiresAt }: Omit<SetLine, "kind">, segment: SegmentFile, place: LinePlace): void {
    const known = this.#byKey.get(key);
    if (known && known.storedAt > storedAt) return;
    if ((this.#removedAt.get(key) ?? -1) >= storedAt) return;
    this.forget(key);
    const entry = { segment, place, storedAt, expiresAt, usedAt: storedAt, hits: 0 };
    // The very value in a file that was written anew, which has the hits of it but not the last ones of this process.
    const isMoved = known?.storedAt === storedAt && known.usedAt > storedAt;
    const use = isMoved && { usedAt: known.usedAt, expiresAt: known.expiresAt };
    this.#byKey.set(key, { ...entry, ...use });
    this.#bytes += place.length;
  }

  touch({ key, usedAt, expiresAt, hits }: Omit<TouchLine, "kind">): void {
    const entry = this.#byKey.get(key);
    if (!entry) return;
    entry.hits += hits;
    if (usedAt < entry.usedAt) return;
    entry.usedAt = usedAt;
    entry.expiresAt = expiresAt;
    // To the end, which is the side of the most recently used.
    this.#byKey.delete(key);
    this.#byKey.set(key, entry);
  }

  delete({ key, at }: Omit<DeleteLine, "kind">): boolean {
    this.#removedAt.set(key, Math.max(at, this.#removedAt.get(key) ?? 0));
    const entry = this.#byKey.get(key);
    return entry !== undefined && entry.storedAt <= at && this.forget(key);
  }

  /** To another file, unless it was stored anew meanwhile. */
  move(key: string, from: SegmentFile, to: SegmentFile, place: LinePlace): void {
    const entry = this.#byKey.get(key);
    if (entry?.segment === from) this.#byKey.set(key, { ...entry, segment: to, place });
  }

  /** Without a trace: for what turned out to be damaged. */
  forget(key: string): boolean {
    this.#bytes -= this.#byKey.get(key)?.place.length ?? 0;
    return this.#byKey.delete(key);
  }

  /** What lay in a file that is gone. */
  forgetSegment(segment: SegmentFile): void {
    for (const [key, entry] of this.#byKey) if (entry.segment === segment) this.forget(key);
  }

  /** After all lines were read, file by file. */
  sortByUse(): void {
    const sorted = [...this.#byKey].sort(([, a], [, b]) => a.usedAt - b.usedAt);
    this.#byKey.clear();
    for (const [key, entry] of sorted) this.#byKey.set(key, entry);
  }

  /** Once no line that was written before `at` can be read any more. */
  forgetRemovalsBefore(at: number): void {
    for (const [key, removedAt] of this.#removedAt) if (removedAt < at) this.#removedAt.delete(key);
  }

  /** For a key that is being stored now: it is newer than its removal, whatever the clock says. */
  forgetRemoval(key: string): void {
    this.#removedAt.delete(key);
  }

  info(key: string): CacheEntryInfo | undefined {
    const entry = this.#byKey.get(key);
    if (!entry) return undefined;
    const { storedAt, expiresAt, usedAt, hits, place } = entry;
    return { key, storedAt, expiresAt, usedAt, hits, bytes: place.length };
  }

  clear(): void {
    this.#byKey.clear();
    this.#removedAt.clear();
    this.#bytes = 0;
  }
}

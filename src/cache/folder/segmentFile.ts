/** One append-only file of a cache, open for reading and, where it is this process's own, for writing. */
import { closeSync, constants, fstatSync, openSync, readSync, writeSync } from "node:fs";
import { FILE_MODE } from "../../storage/json/folder.js";

const LINE_FEED = 10;
// O_NOFOLLOW refuses a link (0 on Windows).
const READING = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0);
const WRITING = constants.O_RDWR | constants.O_APPEND | constants.O_CREAT | (constants.O_NOFOLLOW ?? 0);
const PIECE_BYTES = 1024 * 1024;

/** Where a line lies, without its line feed. */
export interface LinePlace {
  readonly offset: number;
  readonly length: number;
}

/**
 * Reads and writes are synchronous: a line of a few kilobytes comes from the page cache in 5 to 20 microseconds, a
 * trip through the thread pool takes 100, and on a busy machine milliseconds.
 */
export class SegmentFile {
  readonly #descriptor: number;
  /** Lines up to here have been read, or were written by us. */
  #readTo = 0;
  #isTorn = false;

  constructor(
    readonly name: string,
    path: string,
    readonly isOwn: boolean,
  ) {
    this.#descriptor = openSync(path, isOwn ? WRITING : READING, FILE_MODE);
  }

  /** Bytes that have been read or written. */
  get bytes(): number {
    return this.#readTo;
  }

  /** False after another process has replaced the files of the cache. */
  get isThere(): boolean {
    return fstatSync(this.#descriptor).nlink > 0;
  }

  /** Appends lines; where the last ones begin is returned. @throws what the file system says */
  append(lines: readonly string[]): LinePlace[] {
    // A line that was cut by a full disk is ended first, so that it does not swallow this one.
    const start = this.#isTorn ? fstatSync(this.#descriptor).size : this.#readTo;
    let offset = start + (this.#isTorn ? 1 : 0);
    const places = lines.map((line) => {
      const length = Buffer.byteLength(line);
      const place = { offset, length };
      offset += length + 1;
      return place;
    });
    const bytes = Buffer.from(`${this.#isTorn ? "\n" : ""}${lines.join("\n")}\n`);
    this.#isTorn = true;
    for (let written = 0; written < bytes.length; ) {
      written += writeSync(this.#descriptor, bytes, written);
    }
    this.#isTorn = false;
    this.#readTo = offset;
    return places;
  }

  /** The bytes of a line; fewer when the file ends before. */
  read({ offset, length }: LinePlace): Buffer {
    const bytes = Buffer.allocUnsafe(length);
    return bytes.subarray(0, readSync(this.#descriptor, bytes, 0, length, offset));
  }

  /** What others have appended since the last time, whole lines only, a piece at a time. */
  *unread(): Generator<{ readonly line: Buffer; readonly place: LinePlace }[]> {
    for (let size = PIECE_BYTES; ; ) {
      const piece = this.read({ offset: this.#readTo, length: size });
      const end = piece.lastIndexOf(LINE_FEED);
      if (end === -1) {
        if (piece.length < size) return;
        // A line longer than the piece.
        size *= 2;
        continue;
      }
      const lines = [];
      for (let start = 0; start < end; ) {
        const feed = piece.indexOf(LINE_FEED, start);
        if (feed > start) {
          const place = { offset: this.#readTo + start, length: feed - start };
          lines.push({ line: piece.subarray(start, feed), place });
        }
        start = feed + 1;
      }
      this.#readTo += end + 1;
      yield lines;
      if (piece.length < size) return;
    }
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}

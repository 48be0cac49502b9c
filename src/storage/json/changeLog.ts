/**
 * The change log: every change of a document, in the order all processes agree on. Numbered files; a new one begins
 * when the old one has grown, and old ones go when the snapshots contain them.
 */
import { open, readdir, stat, unlink } from "node:fs/promises";
import { basename, join } from "node:path";
import type { Committed } from "../commitQueue.js";
import { startPace } from "../pace.js";
import { type Appended, type AppendLog, openAppendLog, splitLines } from "./appendLog.js";
import { fileErrorCode, writeFailure } from "./failure.js";
import { syncFolder } from "./folder.js";
import { parseJson, type Through } from "./snapshotFile.js";

const NAME = /^\d{8}\.jsonl$/;
const FIRST = "00000001.jsonl";
const CHUNK_BYTES = 256 * 1024;

/** A line of the log that is JSON, with its place. */
export interface LoggedLine {
  readonly value: unknown;
  readonly file: string;
  /** Bytes from the start of the file to the end of the line. */
  readonly end: number;
}

export class ChangeLog {
  readonly #folder: string;
  readonly #settleMs: number;
  readonly #warn: (message: string) => void;
  readonly #positions = new Map<string, number>();
  #log: AppendLog | null = null;
  /** Where reading began in each file. */
  readonly #starts = new Map<string, number>();
  #snapshots: readonly Through[] = [];
  /** Files up to this name are not appended to. */
  #unusable = "";
  #lastRead = Date.now();
  #lookedAt = Number.NEGATIVE_INFINITY;
  /** When this process first saw that a file has a successor; by a clock that stands still while the machine sleeps. */
  readonly #replacedAt = new Map<string, number>();
  #reading: Promise<unknown> = Promise.resolve();

  /** @param settleMs a replaced file is kept for so long, for writers that were just about to append to it */
  constructor(folder: string, settleMs: number, warn: (message: string) => void) {
    this.#folder = folder;
    this.#settleMs = settleMs;
    this.#warn = warn;
  }

  /** How far this process has read. */
  get through(): Through {
    return Object.fromEntries(this.#positions);
  }

  /**
   * Appends lines to the newest file, durably. Never throws.
   *
   * @param onRead called instead of reading these lines again, when nothing else was appended since the last read
   */
  async append(lines: readonly string[], onRead: () => void): Promise<Committed> {
    try {
      for (;;) {
        const log = await this.#current();
        const position = this.#positions.get(basename(log.path));
        const appended = await log.append(lines);
        if (appended.isRemoved) {
          // Nobody has seen these lines.
          await this.close();
          continue;
        }
        if (appended.stored === lines.length) await this.#skip(log.path, position, appended, onRead);
        return appended;
      }
    } catch (error) {
      return { stored: 0, error: writeFailure(this.#folder, error) };
    }
  }

  /** @param before how far the file was read before the lines went to its end */
  #skip(
    path: string,
    before: number | undefined,
    { size, bytes }: Appended,
    onRead: () => void,
  ): Promise<void> {
    const name = basename(path);
    return this.#inTurn(async () => {
      // Read further meanwhile, these lines may have been among it, and what follows be another's of their length.
      if (before !== size - bytes || this.#positions.get(name) !== before || this.#hasReadAfter(name)) return;
      this.#positions.set(name, size);
      onRead();
    });
  }

  /** Reads and skips must not overlap: each line is applied once. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#reading.then(work);
    this.#reading = result.catch(() => {});
    return result;
  }

  /**
   * Reads what was appended since the last call, file by file.
   *
   * @returns false when everything must be read anew: a file is gone that was perhaps not read to its end, or lines
   * came to a file after later ones were read
   */
  read(onLine: (line: LoggedLine) => void): Promise<boolean> {
    return this.#inTurn(() => this.#read(onLine));
  }

  async #read(onLine: (line: LoggedLine) => void): Promise<boolean> {
    const names = await this.#names();
    // Whoever reads in time has read a file to its end before it is removed.
    const wasAway = Math.abs(Date.now() - this.#lastRead) > this.#settleMs / 2;
    this.#lastRead = Date.now();
    for (const name of names.slice(0, -1)) {
      if (!this.#replacedAt.has(name)) this.#replacedAt.set(name, performance.now());
    }
    for (const name of this.#positions.keys()) {
      if (names.includes(name)) continue;
      this.#positions.delete(name);
      this.#replacedAt.delete(name);
      if (wasAway) return false;
    }
    // What this process writes must come after everything it has seen.
    if (this.#log !== null && basename(this.#log.path) !== names.at(-1))
      this.#lookedAt = Number.NEGATIVE_INFINITY;
    for (const name of names) if (!(await this.#readFile(name, onLine))) return false;
    for (const name of this.#snapshots.flatMap(Object.keys)) {
      if (!names.includes(name) && name > (names.at(-1) ?? "") && name > this.#unusable)
        this.#unusable = name;
    }
    return true;
  }

  /** Reads anew what is not in all of these snapshots. */
  rewind(snapshots: readonly Through[]): void {
    this.#positions.clear();
    this.#starts.clear();
    this.#snapshots = snapshots;
    this.#unusable = "";
    this.#lastRead = Date.now();
  }

  /** Whether the log still begins at the beginning, so that it alone makes every document again. */
  async isWhole(): Promise<boolean> {
    return (await this.#names())[0] === FIRST;
  }

  /** Bytes in all files that snapshots do not contain. */
  async sizeBeyond(through: Through): Promise<number> {
    let bytes = 0;
    for (const name of await this.#names()) {
      bytes += Math.max(0, (await sizeOf(join(this.#folder, name))) - positionIn(through, name));
    }
    return bytes;
  }

  /** Begins the next file; whoever appends after this appends there. Under the lock. */
  async rotate(): Promise<void> {
    await (await openAppendLog(join(this.#folder, nextName(await this.#newest())))).close();
  }

  /**
   * Removes files that were replaced some time ago and that the snapshots contain as far as they were just read.
   * What is unread in such a file is half a line of a process that died. Under the lock.
   */
  async removeFolded(through: Through): Promise<void> {
    for (const name of (await this.#names()).slice(0, -1)) {
      const path = join(this.#folder, name);
      const replacedAt = this.#replacedAt.get(name) ?? Number.POSITIVE_INFINITY;
      const isSettled =
        performance.now() - replacedAt >= this.#settleMs &&
        Date.now() - (await stat(path)).mtimeMs >= this.#settleMs;
      const read = this.#positions.get(name) ?? Number.POSITIVE_INFINITY;
      if (!isSettled || read > positionIn(through, name)) return;
      await unlink(path);
      await syncFolder(this.#folder);
    }
  }

  async close(): Promise<void> {
    await this.#log?.close();
    this.#log = null;
  }

  /**
   * Whether lines of later files were read already. The log's order is by file, then by place: a line that a slow
   * writer adds to a replaced file comes before those, and documents must be made anew to have it there.
   */
  #hasReadAfter(name: string): boolean {
    return [...this.#positions].some(
      ([later, position]) => later > name && position > (this.#starts.get(later) ?? 0),
    );
  }

  /** Where to begin in a file that was not read yet. */
  #start(name: string, size: number): number {
    const starts = this.#snapshots.map((through) => positionIn(through, name));
    const start = starts.length === 0 ? 0 : Math.min(...starts);
    // Shorter than the snapshots know it: put back from elsewhere. Appending here would look like old changes.
    if (start > size && name > this.#unusable) this.#unusable = name;
    return Math.min(start, size);
  }

  /** The file to append to: newer than every one the snapshots know but that is gone. */
  async #newest(): Promise<string> {
    const newest = (await this.#names()).at(-1);
    if (newest !== undefined && newest > this.#unusable) return newest;
    return this.#unusable === "" ? FIRST : nextName(this.#unusable);
  }

  async #names(): Promise<string[]> {
    return (await readdir(this.#folder)).filter((name) => NAME.test(name)).sort();
  }

  /** The file to append to. A new one is noticed soon enough: replaced ones are kept for a while. */
  async #current(): Promise<AppendLog> {
    const now = performance.now();
    if (this.#log !== null && now - this.#lookedAt < this.#settleMs / 30) return this.#log;
    this.#lookedAt = now;
    const path = join(this.#folder, await this.#newest());
    if (this.#log?.path === path) return this.#log;
    await this.close();
    this.#log = await openAppendLog(path);
    return this.#log;
  }

  async #readFile(name: string, onLine: (line: LoggedLine) => void): Promise<boolean> {
    const path = join(this.#folder, name);
    const size = await sizeOf(path);
    let position = this.#positions.get(name);
    if (position === undefined) {
      position = this.#start(name, size);
      this.#starts.set(name, position);
      this.#positions.set(name, position);
    }
    if (size < position) return false;
    if (size === position) return true;
    if (this.#hasReadAfter(name)) return false;
    const pace = startPace();
    const handle = await open(path, "r");
    try {
      for (let chunkBytes = CHUNK_BYTES; position < size; ) {
        const chunk = Buffer.allocUnsafe(Math.min(chunkBytes, size - position));
        const { bytesRead } = await handle.read(chunk, 0, chunk.length, position);
        if (bytesRead === 0) break;
        let consumed = 0;
        for (const line of splitLines(chunk.subarray(0, bytesRead))) {
          const value = parseJson(line.text);
          // The last line may be half written, or cut by the end of the chunk: half an object never parses.
          if (value === undefined && !line.isFinished) break;
          consumed = line.end;
          if (value === undefined)
            this.#warn(
              `${path} has a line that is not JSON before byte ${position + line.end}; it is skipped.`,
            );
          else onLine({ value, file: name, end: position + line.end });
          this.#positions.set(name, position + consumed);
          if (pace.isDue()) await pace.rest();
        }
        if (consumed === 0 && position + bytesRead >= size) break;
        if (consumed === 0) chunkBytes *= 2;
        position += consumed;
      }
    } finally {
      await handle.close();
    }
    return true;
  }
}

function nextName(name: string): string {
  return `${String(Number.parseInt(name, 10) + 1).padStart(8, "0")}.jsonl`;
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (fileErrorCode(error) === "ENOENT") return 0;
    throw error;
  }
}

/**
 * How far a snapshot goes into a file of the log. It names every file there was when it was made; one it does not
 * name, older than its newest, was contained completely.
 */
export function positionIn(through: Through, file: string): number {
  const position = through[file];
  if (position !== undefined) return position;
  return Object.keys(through).some((name) => name > file) ? Number.POSITIVE_INFINITY : 0;
}

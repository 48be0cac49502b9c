/** The request log: one request a line, in segments that retention can remove whole. */
import { open, readdir, stat, unlink } from "node:fs/promises";
import { basename, join } from "node:path";
import type { RequestRecord } from "../../records.js";
import type { Committed } from "../commitQueue.js";
import { startPace } from "../pace.js";
import { matcherOf } from "../requestQuery.js";
import type { RequestQuery } from "../store.js";
import { type AppendLog, openAppendLog, splitLines } from "./appendLog.js";
import { readFailure, writeFailure } from "./failure.js";
import { syncFolder } from "./folder.js";
import { readIfPresent } from "./readIfPresent.js";
import { parseJson } from "./snapshotFile.js";

const NAME = /^(\d{4}-\d{2}-\d{2})-(\d{5})\.jsonl$/;
/** A segment in use is never removed, and is one that was written to within this time, in milliseconds. */
const SETTLE_MS = 60_000;
/** How often others' newer segments are looked for, in milliseconds: requests stay in the order they were stored. */
const LOOK_MS = 500;
const DAY_MS = 24 * 60 * 60 * 1000;
/** Programs whose clocks differ may write requests this much later than the day of their segment. */
const SLACK_MS = 2 * DAY_MS;

/** How much of the request log is kept; the oldest segments go first, whole. */
export interface Retention {
  /** Default 90. */
  readonly days?: number;
  /** Default 1,000,000. */
  readonly records?: number;
  /** Default 1 GiB. */
  readonly bytes?: number;
}

export interface RequestLogOptions {
  readonly folder: string;
  readonly segmentBytes: number;
  readonly now: () => number;
  readonly warn: (message: string) => void;
}

export class RequestLog {
  readonly #options: RequestLogOptions;
  #log: AppendLog | null = null;
  /** Bytes in the segment after the last append. */
  #size = 0;
  #lookedAt = 0;
  /** Requests in segments that are complete. */
  readonly #counted = new Map<string, number>();
  readonly #warned = new Set<string>();

  constructor(options: RequestLogOptions) {
    this.#options = options;
  }

  /** Appends requests, durably. Never throws. */
  async append(lines: readonly string[]): Promise<Committed> {
    try {
      for (;;) {
        const log = await this.#current();
        const appended = await log.append(lines);
        this.#size = appended.size;
        if (!appended.isRemoved) return appended;
        await this.close();
      }
    } catch (error) {
      return { stored: 0, error: writeFailure(this.#options.folder, error) };
    }
  }

  /** Reads one segment at a time. */
  async *read(query: RequestQuery): AsyncGenerator<RequestRecord> {
    const { folder } = this.#options;
    const all = await this.#names().catch((error: unknown) => {
      throw readFailure(folder, error);
    });
    const names = all.filter((_, index) => mayHold(all[index + 1], query));
    if (query.newestFirst) names.reverse();
    let left = query.limit ?? Number.POSITIVE_INFINITY;
    const isAsked = matcherOf(query);
    const pace = startPace();
    for (const name of names) {
      if (left <= 0) return;
      const bytes = await this.#readSegment(name);
      const lines = query.newestFirst ? splitLinesBackwards(bytes) : splitLines(bytes);
      for (const { text, isFinished } of lines) {
        if (pace.isDue()) await pace.rest();
        const request = parseJson(text);
        if (!isRequest(request)) {
          if (isFinished) this.#warnOnce(name);
          continue;
        }
        if (!isAsked(request)) continue;
        yield request;
        if (--left <= 0) return;
      }
    }
  }

  /** Removes the oldest segments beyond the limits. Under the lock. */
  async retain({ days = 90, records = 1_000_000, bytes = 1024 ** 3 }: Retention): Promise<void> {
    const names = (await this.#names()).reverse();
    const now = this.#options.now();
    const oldestDay = isOneDay(names, now) ? "" : dayOf(now - days * DAY_MS);
    let keptBytes = 0;
    let keptRecords = 0;
    let isRemoving = false;
    for (const [index, name] of names.entries()) {
      const path = join(this.#options.folder, name);
      const stats = await stat(path);
      const isInUse = index === 0 || Date.now() - stats.mtimeMs < SETTLE_MS;
      isRemoving ||= name < oldestDay || keptBytes + stats.size > bytes || keptRecords > records;
      if (isRemoving && !isInUse) {
        await unlink(path);
        continue;
      }
      keptBytes += stats.size;
      keptRecords += await this.#count(name, isInUse);
    }
    await syncFolder(this.#options.folder);
  }

  async close(): Promise<void> {
    await this.#log?.close();
    this.#log = null;
  }

  async #current(): Promise<AppendLog> {
    const today = dayOf(this.#options.now());
    const now = performance.now();
    if (this.#log !== null && now - this.#lookedAt < LOOK_MS) {
      const day = basename(this.#log.path).slice(0, "yyyy-mm-dd".length);
      // A day before the segment's own is a clock that was put back: segments stay in order.
      if (this.#size < this.#options.segmentBytes && day >= today) return this.#log;
    }
    const path = join(this.#options.folder, await this.#nextName(today));
    this.#lookedAt = now;
    if (this.#log?.path === path) return this.#log;
    await this.close();
    const log = await openAppendLog(path);
    this.#log = log;
    this.#size = log.size;
    return log;
  }

  async #nextName(today: string): Promise<string> {
    const newest = (await this.#names()).at(-1);
    const [, day, number] = (newest !== undefined && NAME.exec(newest)) || [];
    if (newest === undefined || day === undefined || day < today) return segmentName(today, 1);
    const { size } = await stat(join(this.#options.folder, newest));
    return size < this.#options.segmentBytes ? newest : segmentName(day, Number(number) + 1);
  }

  async #names(): Promise<string[]> {
    return (await readdir(this.#options.folder)).filter((name) => NAME.test(name)).sort();
  }

  async #readSegment(name: string): Promise<Buffer> {
    // Removed by retention while we read the one before.
    return (await readIfPresent(join(this.#options.folder, name))) ?? Buffer.alloc(0);
  }

  async #count(name: string, isInUse: boolean): Promise<number> {
    const known = this.#counted.get(name);
    if (known !== undefined) return known;
    const count = await countLines(join(this.#options.folder, name));
    if (!isInUse) this.#counted.set(name, count);
    return count;
  }

  #warnOnce(name: string): void {
    if (this.#warned.has(name)) return;
    this.#warned.add(name);
    this.#options.warn(
      `${join(this.#options.folder, name)} has a line that is not a request; it is skipped.`,
    );
  }
}

/**
 * Whether the log was written on one day only of the last 30. Then the program was not used for long, or its clock is
 * wrong and would have everything removed: nothing goes by age before the next day.
 */
function isOneDay(names: readonly string[], now: number): boolean {
  const since = dayOf(now - 30 * DAY_MS);
  return new Set(names.map((name) => name.slice(0, 10)).filter((day) => day >= since)).size < 2;
}

function dayOf(at: number): string {
  return new Date(at).toISOString().slice(0, 10);
}

function segmentName(day: string, number: number): string {
  return `${day}-${String(number).padStart(5, "0")}.jsonl`;
}

/** A segment ends when the next one begins, and nothing is written before it happens. */
function mayHold(next: string | undefined, { since }: RequestQuery): boolean {
  if (since === undefined || next === undefined) return true;
  return Date.parse(next.slice(0, 10)) + DAY_MS + SLACK_MS >= Date.parse(since);
}

function* splitLinesBackwards(bytes: Buffer): Generator<{ text: string; isFinished: boolean }> {
  for (let end = bytes.length; end > 0; ) {
    const start = bytes.lastIndexOf("\n", end - 1) + 1;
    if (end > start) yield { text: bytes.toString("utf8", start, end), isFinished: end < bytes.length };
    end = start - 1;
  }
}

async function countLines(path: string): Promise<number> {
  let count = 0;
  const handle = await open(path, "r");
  try {
    for await (const chunk of handle.createReadStream({ autoClose: false })) {
      for (let at = (chunk as Buffer).indexOf("\n"); at !== -1; at = (chunk as Buffer).indexOf("\n", at + 1))
        count++;
    }
  } finally {
    await handle.close();
  }
  return count;
}

function isRequest(value: unknown): value is RequestRecord {
  return (
    typeof value === "object" &&
    value !== null &&
    "id" in value &&
    "at" in value &&
    typeof value.at === "string"
  );
}

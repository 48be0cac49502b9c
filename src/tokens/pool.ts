import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { OptimizerError } from "../errors.js";
import { type Logger, silentLogger } from "../logger.js";
import { anyOf } from "./controlTokens.js";
import type { Answers, Reply, Request } from "./protocol.js";
import { hashText, SegmentMemo } from "./segmentMemo.js";

/** Longer texts go to the worker whole: splitting and hashing a million characters takes 3 ms. */
const LONGEST_ON_MAIN = 1_000_000;
/** A long text is posted in parts of this many UTF-16 units, 0.5 ms each. */
const PART = 250_000;
/** A worker that keeps dying (out of memory) is given up. */
const MOST_CRASHES = 3;

export interface TokenizerPoolOptions {
  /** Vocabularies are kept in `tokenizers/` below this folder; null (default): in memory only. */
  readonly folder?: string | null;
  /** Tokenizers in memory at a time, the least recently used goes first. Default 2, 20-60 MB each. */
  readonly maxEncoders?: number;
  readonly logger?: Logger;
}

interface Loaded {
  /** Finds the control tokens at which a prompt is cut into segments; null without any. */
  readonly boundary: RegExp | null;
  readonly memo: SegmentMemo;
}

interface Pending {
  resolve(value: Answers[keyof Answers]): void;
  reject(error: unknown): void;
}

type Ask = Request extends infer R ? (R extends Request ? Omit<R, "id"> : never) : never;

/**
 * Exact token counts from the models' own tokenizers, made in one worker thread. The thread starts with the first
 * use and never keeps a process alive by itself.
 *
 * @example
 * const pool = new TokenizerPool();
 * await pool.load(digest, () => fetchShowBytes(model));
 * await pool.count(digest, "<|im_start|>user\nHello<|im_end|>"); // 5
 */
export class TokenizerPool {
  private readonly folder: string | null;
  private readonly maxEncoders: number;
  private readonly logger: Logger;
  private worker: Worker | null = null;
  private isClosed = false;
  private crashes = 0;
  private lastId = 0;
  private readonly pending = new Map<number, Pending>();
  /** In order of use, the least recent first. */
  private readonly ready = new Map<string, Loaded>();
  private readonly loading = new Map<string, Promise<void>>();
  /** Digests whose tokenizer cannot be rebuilt. */
  private readonly failed = new Map<string, OptimizerError>();

  constructor(options: TokenizerPoolOptions = {}) {
    this.folder = options.folder ?? null;
    this.maxEncoders = Math.max(1, options.maxEncoders ?? 2);
    this.logger = options.logger ?? silentLogger;
  }

  /**
   * Makes the tokenizer of a model ready: from the folder, else from what `fetchShow` brings. Calls for one digest
   * share one load. What cannot be rebuilt is remembered and not fetched again.
   *
   * @param fetchShow the raw reply of `POST /api/show {"model": M, "verbose": true}`; it is handed over unparsed,
   *   since parsing its 4-10 MB blocks for 0.1 s
   * @throws OptimizerError `TOKENIZER_UNSUPPORTED`; else whatever `fetchShow` rejects with
   */
  load(digest: string, fetchShow: () => Promise<ArrayBuffer>): Promise<void> {
    if (this.ready.has(digest)) return Promise.resolve();
    const failure = this.failed.get(digest);
    if (failure !== undefined) return Promise.reject(failure);
    const running = this.loading.get(digest);
    if (running !== undefined) return running;
    const load = this.loadNow(digest, fetchShow).finally(() => this.loading.delete(digest));
    this.loading.set(digest, load);
    return load;
  }

  isReady(digest: string): boolean {
    return this.ready.has(digest);
  }

  /** True when the tokenizer of this digest was found impossible to rebuild. */
  isUnsupported(digest: string): boolean {
    return this.failed.has(digest);
  }

  /**
   * Tokens of a prompt as the engine gets it: control tokens written in it count as such. A bos that the server adds
   * by itself is not included; it is a constant of the model.
   *
   * @throws OptimizerError `TOKENIZER_MISSING` unless {@link isReady}
   */
  async count(digest: string, text: string): Promise<number> {
    const loaded = this.use(digest);
    if (text.length > LONGEST_ON_MAIN) {
      return sum(await this.askLong<"count">(text, (rest) => ({ type: "count", digest, texts: [rest] })));
    }
    const { total, unknown } = this.lookUp(loaded, text);
    if (unknown.size === 0) return total;
    const keys = [...unknown.keys()];
    const counts = await this.ask<"count">({
      type: "count",
      digest,
      texts: [...unknown.values()].map(({ text }) => text),
    });
    let rest = 0;
    keys.forEach((key, index) => {
      const count = counts[index] as number;
      loaded.memo.set(key, count);
      rest += count * (unknown.get(key)?.times ?? 1);
    });
    return total + rest;
  }

  /** Ids in the model's vocabulary. */
  async encode(digest: string, text: string): Promise<Uint32Array> {
    this.use(digest);
    return this.askLong<"encode">(text, (rest) => ({ type: "encode", digest, text: rest }));
  }

  /** The count if every segment of the text was counted before, at once; else null. Null above 1 M characters. */
  countKnown(digest: string, text: string): number | null {
    const loaded = this.ready.get(digest);
    if (loaded === undefined || text.length > LONGEST_ON_MAIN) return null;
    const { total, unknown } = this.lookUp(loaded, text);
    return unknown.size === 0 ? total : null;
  }

  /** Tokens by o200k_base, for models without a tokenizer here. Off by -81 to +63 % for other vocabularies. */
  async estimate(text: string): Promise<number> {
    return this.askLong<"estimate">(text, (rest) => ({ type: "estimate", text: rest }));
  }

  /** Ends the thread for good. Counts under way and later ones reject with `TOKENIZER_CLOSED`. */
  async close(): Promise<void> {
    const worker = this.worker;
    this.isClosed = true;
    this.worker = null;
    this.ready.clear();
    this.rejectPending(closed());
    await worker?.terminate();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  private async loadNow(digest: string, fetchShow: () => Promise<ArrayBuffer>): Promise<void> {
    const file = await this.fileOf(digest);
    let boundaries = file === null ? null : await this.ask<"loadFile">({ type: "loadFile", digest, file });
    if (boundaries === null) {
      const reply = await fetchShow();
      try {
        boundaries = await this.ask<"loadShow">({ type: "loadShow", digest, reply, file }, [reply]);
      } catch (error) {
        if (OptimizerError.isInstance(error) && error.code === "TOKENIZER_UNSUPPORTED")
          this.failed.set(digest, error);
        throw error;
      }
    }
    this.ready.set(digest, { boundary: anyOf(boundaries), memo: new SegmentMemo() });
    while (this.ready.size > this.maxEncoders) {
      const oldest = this.ready.keys().next().value as string;
      this.ready.delete(oldest);
      await this.ask<"drop">({ type: "drop", digest: oldest });
    }
  }

  private async fileOf(digest: string): Promise<string | null> {
    if (this.folder === null) return null;
    const folder = join(this.folder, "tokenizers");
    try {
      await mkdir(folder, { recursive: true, mode: 0o700 });
    } catch {
      // A folder that cannot be written costs a fetch per process, nothing else.
      return null;
    }
    return join(folder, `${digest.replace(/[^A-Za-z0-9]+/g, "-")}.bin`);
  }

  private use(digest: string): Loaded {
    const loaded = this.ready.get(digest);
    if (this.isClosed) throw closed();
    if (loaded === undefined) {
      throw new OptimizerError({
        code: "TOKENIZER_MISSING",
        message: `no tokenizer is loaded for ${digest}`,
        remedy: "Call load() first.",
      });
    }
    this.ready.delete(digest);
    this.ready.set(digest, loaded);
    return loaded;
  }

  /** What the memo knows of a text, and its segments that it does not know, by hash. */
  private lookUp(
    { boundary, memo }: Loaded,
    text: string,
  ): { total: number; unknown: Map<number, { text: string; times: number }> } {
    const unknown = new Map<number, { text: string; times: number }>();
    let total = 0;
    const add = (segment: string): void => {
      if (segment === "") return;
      const key = hashText(segment);
      const known = memo.get(key);
      const open = unknown.get(key);
      if (known !== undefined) total += known;
      else unknown.set(key, { text: segment, times: (open?.times ?? 0) + 1 });
    };
    if (boundary === null) {
      add(text);
      return { total, unknown };
    }
    let end = 0;
    boundary.lastIndex = 0;
    while (boundary.test(text)) {
      const next = boundary.lastIndex;
      // The control token goes with the segment before it, so that each segment but the last ends in one.
      add(text.slice(end, next));
      end = next;
    }
    add(text.slice(end));
    return { total, unknown };
  }

  /** Posts a long text in parts; `finish` makes the request of the last one. */
  private async askLong<T extends "count" | "encode" | "estimate">(
    text: string,
    finish: (rest: string) => Extract<Ask, { type: T }>,
  ): Promise<Answers[T]> {
    const id = ++this.lastId;
    const worker = this.start();
    let start = 0;
    for (; start + PART < text.length; start += PART) {
      worker.postMessage({ id, type: "part", text: text.slice(start, start + PART) } satisfies Request);
      await new Promise((resolve) => setImmediate(resolve));
      // Another thread would count the rest as if it were the whole.
      if (this.worker !== worker) throw this.isClosed ? closed() : died();
    }
    return this.ask<T>(finish(text.slice(start)), [], id);
  }

  private ask<T extends Ask["type"]>(
    request: Extract<Ask, { type: T }>,
    transfer: readonly ArrayBuffer[] = [],
    id: number = ++this.lastId,
  ): Promise<Answers[T]> {
    return new Promise((resolve, reject) => {
      const worker = this.start();
      // Someone waits: without this a script that awaits its first count would end.
      worker.ref();
      this.pending.set(id, { resolve: resolve as Pending["resolve"], reject });
      worker.postMessage({ ...request, id }, [...transfer]);
    });
  }

  private start(): Worker {
    if (this.worker !== null) return this.worker;
    if (this.isClosed) throw closed();
    if (this.crashes >= MOST_CRASHES) throw died();
    // Flags of the process are not for the thread: with `node --input-type=module -e` it would not start.
    const options = { name: "tokenizers", execArgv: [], stdout: true };
    const worker = new Worker(new URL("./worker.js", import.meta.url), options);
    worker.unref();
    worker.on("message", (reply: Reply) => {
      const pending = this.pending.get(reply.id);
      this.pending.delete(reply.id);
      if (this.pending.size === 0) worker.unref();
      if ("error" in reply) pending?.reject(restore(reply.error));
      else pending?.resolve(reply.value);
    });
    worker.on("error", (cause) => this.forget(worker, cause));
    worker.on("exit", (code) => this.forget(worker, code));
    this.worker = worker;
    return worker;
  }

  /** A thread that died takes its tokenizers along; the next load starts another. */
  private forget(worker: Worker, cause: unknown): void {
    if (this.worker !== worker) return;
    this.worker = null;
    this.crashes++;
    this.ready.clear();
    this.logger.warn("The tokenizer thread ended; token counts are bounds until it is loaded again.");
    this.rejectPending(died(cause));
  }

  private rejectPending(error: OptimizerError): void {
    const pending = [...this.pending.values()];
    this.pending.clear();
    for (const { reject } of pending) reject(error);
  }
}

function restore({ code, message }: { code: string; message: string }): OptimizerError {
  const error = new OptimizerError({ code, message, remedy: "" });
  error.message = message;
  return error;
}

function died(cause?: unknown): OptimizerError {
  return new OptimizerError({
    code: "TOKENIZER_FAILED",
    message: "the tokenizer thread ended",
    remedy: "Give the process more memory; until then counts are bounds.",
    cause,
  });
}

function closed(): OptimizerError {
  return new OptimizerError({
    code: "TOKENIZER_CLOSED",
    message: "the tokenizer pool was closed",
    remedy: "Use a new one.",
  });
}

function sum(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0);
}

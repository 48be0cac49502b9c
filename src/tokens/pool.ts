import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { OptimizerError } from "../errors.js";
import { type Logger, silentLogger } from "../logger.js";
import { anyOf } from "./controlTokens.js";
import type { Answers, Reply, Request } from "./protocol.js";
import { SegmentMemo } from "./segmentMemo.js";
import { type Boundary, type Segment, segmentsOf } from "./segments.js";
import { letOthersIn, SLICE, slicesOf } from "./slices.js";

/** Slices of a prompt that are looked up at once, 0.1 ms each. */
const MOST_AT_ONCE = 8;
/** A worker that keeps dying (out of memory) is given up. */
const MOST_CRASHES = 3;

/** Where tokenizers are kept, and who hears of failures. */
export interface TokenizerPoolOptions {
  /** Vocabularies are kept in `tokenizers/` below this folder; null (default): in memory only. */
  readonly folder?: string | null;
  /** Tokenizers in memory at a time, the least recently used goes first. Default 2, 20-60 MB each. */
  readonly maxEncoders?: number;
  readonly logger?: Logger;
}

interface Loaded {
  /** The control tokens at which a prompt is cut into segments; null without any. */
  readonly boundary: Boundary | null;
  readonly memo: SegmentMemo;
}

/** A segment that was not counted yet, and how often it stands in the prompt. */
interface Unknown {
  readonly segment: Segment;
  times: number;
}

interface Pending {
  resolve(value: Answers[keyof Answers]): void;
  reject(error: unknown): void;
}

/** Brings the reply of `/api/show`, as it comes. */
export type FetchShow = () => Promise<AsyncIterable<Uint8Array> | Iterable<Uint8Array>>;

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
   * @param fetchShow the raw reply of `POST /api/show {"model": M, "verbose": true}`; its 4-10 MB are handed on as
   *   they come, since parsing them blocks for 0.1 s, and joining them for 20 ms
   * @throws OptimizerError `TOKENIZER_UNSUPPORTED`; else whatever `fetchShow` rejects with
   */
  load(digest: string, fetchShow: FetchShow): Promise<void> {
    if (this.ready.has(digest)) return Promise.resolve();
    const failure = this.failed.get(digest);
    if (failure !== undefined) return Promise.reject(failure);
    const running = this.loading.get(digest);
    if (running !== undefined) return running;
    const load = this.loadNow(digest, fetchShow).finally(() => this.loading.delete(digest));
    this.loading.set(digest, load);
    return load;
  }

  /** Whether this model's tokens can be counted now. */
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
   * @param prompt a long one in pieces, so that it need not be joined
   * @throws OptimizerError `TOKENIZER_MISSING` unless {@link isReady}
   */
  async count(digest: string, prompt: string | Iterable<string>): Promise<number> {
    const { boundary, memo } = this.use(digest);
    const { worker } = this;
    const unknown = new Map<number, Unknown>();
    let total = 0;
    for (const segment of segmentsOf(piecesOf(prompt), boundary)) {
      if (segment === null) await letOthersIn();
      else total += known(segment, memo, unknown);
    }
    for (const batch of batchesOf(unknown.values())) {
      this.checkAlive(worker);
      const counts = await this.countBatch(digest, batch);
      for (const [index, { segment, times }] of batch.entries()) {
        const count = counts[index] as number;
        memo.set(segment.key, count);
        total += count * times;
      }
    }
    return total;
  }

  /** Counts segments together, or one that is long by itself. */
  private countBatch(digest: string, batch: readonly Unknown[]): Promise<readonly number[]> {
    const [{ segment }] = batch as [Unknown];
    if (segment.length > SLICE) {
      return this.askInParts<"count">(segment.pieces, { type: "count", digest, texts: [""] });
    }
    const texts = batch.map(({ segment: { pieces } }) => pieces.join(""));
    return this.ask<"count">({ type: "count", digest, texts });
  }

  /** Ids in the model's vocabulary. */
  async encode(digest: string, text: string): Promise<Uint32Array> {
    this.use(digest);
    return this.askInParts<"encode">(slicesOf(text), { type: "encode", digest, text: "" });
  }

  /** The count if every segment of the prompt was counted before, at once; else null. Null for long prompts. */
  countKnown(digest: string, prompt: string | Iterable<string>): number | null {
    const loaded = this.ready.get(digest);
    if (loaded === undefined) return null;
    let total = 0;
    let slices = 1;
    for (const segment of segmentsOf(piecesOf(prompt), loaded.boundary)) {
      if (segment === null) {
        if (++slices > MOST_AT_ONCE) return null;
        continue;
      }
      const count = loaded.memo.get(segment.key);
      if (count === undefined) return null;
      total += count;
    }
    return total;
  }

  /** Tokens by o200k_base, for models without a tokenizer here. Off by -81 to +63 % for other vocabularies. */
  async estimate(text: string): Promise<number> {
    return this.askInParts<"estimate">(slicesOf(text), { type: "estimate", text: "" });
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

  /** The same as {@link close}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  private async loadNow(digest: string, fetchShow: FetchShow): Promise<void> {
    const file = await this.fileOf(digest);
    let boundaries = file === null ? null : await this.ask<"loadFile">({ type: "loadFile", digest, file });
    if (boundaries === null) {
      const reply = await fetchShow();
      try {
        boundaries = await this.askInParts<"loadShow">(reply, { type: "loadShow", digest, file });
      } catch (error) {
        if (OptimizerError.isInstance(error) && error.code === "TOKENIZER_UNSUPPORTED")
          this.failed.set(digest, error);
        throw error;
      }
    }
    this.ready.set(digest, { boundary: boundaryOf(boundaries), memo: new SegmentMemo() });
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

  /** Posts what is long in parts, ahead of the request that they are for. */
  private async askInParts<T extends "count" | "encode" | "estimate" | "loadShow">(
    parts: Iterable<string> | Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
    request: Extract<Ask, { type: T }>,
  ): Promise<Answers[T]> {
    const id = ++this.lastId;
    const worker = this.start();
    try {
      for await (const part of parts) {
        this.checkAlive(worker);
        // A view of its own: of a part of a larger buffer all of it would be cloned.
        const posted = typeof part === "string" ? part : new Uint8Array(part);
        const transfer = typeof posted === "string" ? [] : [posted.buffer];
        worker.postMessage({ id, type: "part", part: posted } satisfies Request, transfer);
        await letOthersIn();
      }
      this.checkAlive(worker);
    } catch (error) {
      worker.postMessage({ id, type: "discard" } satisfies Request);
      throw error;
    }
    return this.ask<T>(request, id);
  }

  /** Another thread has no tokenizer yet, and would count the rest of a text as if it were the whole. */
  private checkAlive(worker: Worker | null): void {
    if (this.worker !== worker) throw this.isClosed ? closed() : died();
  }

  private ask<T extends Ask["type"]>(
    request: Extract<Ask, { type: T }>,
    id: number = ++this.lastId,
  ): Promise<Answers[T]> {
    return new Promise((resolve, reject) => {
      const worker = this.start();
      // Someone waits: without this a script that awaits its first count would end.
      worker.ref();
      this.pending.set(id, { resolve: resolve as Pending["resolve"], reject });
      worker.postMessage({ ...request, id });
    });
  }

  private start(): Worker {
    if (this.worker !== null) return this.worker;
    if (this.isClosed) throw closed();
    if (this.crashes >= MOST_CRASHES) throw died();
    // Flags of the process are not for the thread: with `node --input-type=module -e` it would not start.
    // A small young generation costs no time here (measured), and 15 MB less.
    const resourceLimits = { maxYoungGenerationSizeMb: 6 };
    const options = { name: "tokenizers", execArgv: [], stdout: true, resourceLimits };
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

function boundaryOf(texts: readonly string[]): Boundary | null {
  const expression = anyOf(texts);
  return expression && { expression, longest: Math.max(...texts.map(({ length }) => length)) };
}

/** A string is an iterable too, of its characters. */
function piecesOf(prompt: string | Iterable<string>): Iterable<string> {
  return typeof prompt === "string" ? [prompt] : prompt;
}

/** What the memo knows of a segment; else 0, and it is noted. */
function known(segment: Segment, memo: SegmentMemo, unknown: Map<number, Unknown>): number {
  const count = memo.get(segment.key);
  if (count !== undefined) return count;
  const noted = unknown.get(segment.key);
  if (noted) noted.times++;
  else unknown.set(segment.key, { segment, times: 1 });
  return 0;
}

/** Segments of about {@link SLICE} together; a longer one is alone. */
function* batchesOf(unknown: Iterable<Unknown>): Generator<readonly Unknown[]> {
  let batch: Unknown[] = [];
  let length = 0;
  for (const one of unknown) {
    if (batch.length > 0 && length + one.segment.length > SLICE) {
      yield batch;
      batch = [];
      length = 0;
    }
    batch.push(one);
    length += one.segment.length;
  }
  if (batch.length > 0) yield batch;
}

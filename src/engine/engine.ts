/**
 * Carries decisions out: watch the server, count, decide, send, retry once, record. One engine per store; its
 * slots are shared by every model and server of the process that use that store.
 */
import { linesOf } from "../backend/lines.js";
import * as ollama from "../backend/ollama.js";
import { contextRefusal, incompleteReply, isOutOfMemory, upstreamError } from "../backend/refusal.js";
import { nodeTransport, readBody, type WireReply } from "../backend/transport.js";
import type { WireChunk } from "../backend/wire.js";
import { OptimizerError, WindowOverflow } from "../errors.js";
import { type Logger, silentLogger } from "../logger.js";
import type { Decided } from "../optimizer/decide.js";
import type { CountSource, RunnerOptions } from "../records.js";
import type { OptimizerStore } from "../storage/store.js";
import { TokenizerPool } from "../tokens/index.js";
import { ABANDONED, type EndOfCall } from "./endOfCall.js";
import { decisionRecord, type Plan, sentBody, undecided } from "./plan.js";
import { Planner } from "./planner.js";
import { Recorder } from "./recorder.js";
import { ReplyObserver } from "./replyObserver.js";
import { steadyNow } from "./steadyClock.js";
import type { EngineCall, EngineChunk, EngineReply, ModelFacts } from "./types.js";

const REFUSALS: ReadonlySet<string> = new Set(["OPTION_INVALID", "QUEUE_FULL", "QUEUE_TIMEOUT"]);

export interface EngineOptions {
  readonly store: OptimizerStore;
  readonly logger?: Logger;
  /** Where rank lists of tokenizers are kept; null keeps them in memory. */
  readonly tokenizerFolder?: string | null;
}

export class Engine {
  private readonly logger: Logger;
  private readonly pool: TokenizerPool;
  private readonly planner: Planner;
  private readonly recorder: Recorder;
  private warned = false;

  constructor(readonly options: EngineOptions) {
    this.logger = options.logger ?? silentLogger;
    this.pool = new TokenizerPool({ folder: options.tokenizerFolder ?? null, logger: this.logger });
    this.planner = new Planner(options.store, this.pool, this.logger);
    this.recorder = new Recorder(options.store, this.planner, this.logger);
  }

  /**
   * Sends one call with the window decided.
   *
   * @throws {@link WindowOverflow} when the prompt fits no permitted window (`onOverflow` other than "cut")
   * @throws OptimizerError `OPTION_INVALID` for windows and batches that Ollama would misread
   * @throws {@link UpstreamError} when the server refuses or cannot be reached
   */
  async send(call: EngineCall): Promise<EngineReply> {
    call.signal?.throwIfAborted();
    const startedAt = steadyNow();
    const plan = await this.plan(call);
    // A decided one has its reload on its way, which only its end takes back.
    if (!plan.basis) call.signal?.throwIfAborted();
    const observer = new ReplyObserver(steadyNow);
    const end = this.recorder.begin(plan, observer, startedAt);
    endOnAbort(call.signal, end);
    try {
      return await this.answer(plan, observer, end);
    } catch (error) {
      end(error);
      throw error;
    }
  }

  /** A failure inside the optimizer never fails the call: it goes out undecided, with one logged warning. */
  private async plan(call: EngineCall): Promise<Plan> {
    const started = performance.now();
    try {
      return await this.planner.plan(call, started);
    } catch (error) {
      if (error instanceof WindowOverflow || isRefusal(error) || call.signal?.aborted) throw error;
      this.warnUndecided(nameOf(error));
      return this.planner.without(call, undecided("the optimizer failed", call.optimize), started);
    }
  }

  private warnUndecided(why: string): void {
    const text = `optimizer: a call goes out undecided (${why})`;
    if (this.warned) this.logger.debug?.(text);
    else this.logger.warn(text);
    this.warned = true;
  }

  private async answer(plan: Plan, observer: ReplyObserver, end: EndOfCall): Promise<EngineReply> {
    for (let retries = 0; ; retries++) {
      await this.planner.beforeSending(plan);
      const reply = await this.request(plan);
      const first = await firstLine(reply, plan.call.body.model);
      if ("chunk" in first) {
        this.recorder.answering(plan);
        // Neither switched off nor remote: the server answers calls and tells nothing about itself.
        if (!plan.basis && plan.decided.truncate === false) this.warnUndecided(plan.decided.reason);
        return {
          status: reply.status,
          headers: reply.headers,
          decision: () => plan.decision,
          chunks: this.watch(plan, first, observer, end),
          recorded: end.recorded,
        };
      }
      const next = retries === 0 ? this.afterRefusal(plan, first.status, first.body) : null;
      if (!next) throw upstreamError(first.status, first.body, plan.call.body.model);
      plan.decided = next;
      plan.decision = {
        ...decisionRecord(plan, plan.decision.decideMs, plan.decision.id),
        outcome: { retries: 1, reloaded: false, shifted: false, cut: false, error: null },
      };
    }
  }

  private request({ call, watch, decided }: Plan): Promise<WireReply> {
    const address = { ...watch.address, headers: call.headers, transport: call.transport ?? nodeTransport };
    return ollama.post(address, call.path, sentBody(call.body, decided), call.signal);
  }

  /** What to send instead, once; null when the refusal is final. */
  private afterRefusal(plan: Plan, status: number, body: string): Decided | null {
    const refusal = contextRefusal(status, body);
    if (refusal) return this.planner.afterContextRefusal(plan, refusal);
    if (isOutOfMemory(status, body)) return this.planner.afterOutOfMemory(plan);
    return null;
  }

  private async *watch(
    plan: Plan,
    first: FirstLine,
    observer: ReplyObserver,
    end: EndOfCall,
  ): AsyncGenerator<EngineChunk> {
    const model = plan.call.body.model;
    let finished = false;
    try {
      for (let next: EngineChunk | null = first.chunk; next; next = await first.next()) {
        if (next.data.error !== undefined) throw upstreamError(500, next.data.error, model);
        observer.see(next.data);
        if (observer.final) {
          finished = true;
          if (plan.glance) await this.recorder.answered(plan);
          end(null);
        }
        yield next;
        if (finished) break;
      }
      if (!finished) throw incompleteReply(model);
    } catch (error) {
      const reason = plan.call.signal?.aborted ? plan.call.signal.reason : replyError(error, model);
      end(reason);
      throw reason;
    } finally {
      // Left early: nobody wants the rest, and closing the socket makes the server stop.
      if (finished) first.release();
      else end(ABANDONED);
      await first.close();
    }
  }

  /** Tokens of a prompt as the model counts them, with where the number comes from. Loads no model. */
  async countTokens(
    call: Pick<EngineCall, "origin" | "headers" | "transport" | "body">,
  ): Promise<{ readonly tokens: number; readonly source: CountSource }> {
    return this.planner.countTokens(call);
  }

  /** Ids of a text in the model's vocabulary; null where its tokenizer cannot be rebuilt. Loads no model. */
  async tokenIds(
    call: Pick<EngineCall, "origin" | "headers" | "transport">,
    model: string,
    text: string,
  ): Promise<Uint32Array | null> {
    return this.planner.tokenIds(call, model, text);
  }

  /** From memory; undefined before the first call of this model on this server. */
  modelFacts(origin: string, model: string): ModelFacts | undefined {
    return this.planner.modelFacts(origin, model);
  }

  /** Looks in the background, at most every half minute, whether a model was made anew. */
  lookNowAndThen(origin: string): void {
    this.planner.lookNowAndThen(origin);
  }

  /** Asks the server for a model's facts; null when it does not tell. */
  async learnModel(
    call: Pick<EngineCall, "origin" | "headers" | "transport">,
    model: string,
  ): Promise<ModelFacts | null> {
    return this.planner.learnModel(call, model);
  }

  /**
   * The loaded runner's exact options, for side calls (embeddings, preloads) that would reload it by leaving one
   * out; null when nothing is loaded or nothing is known.
   */
  async loadedOptions(
    call: Pick<EngineCall, "origin" | "headers" | "transport">,
    model: string,
  ): Promise<RunnerOptions | null> {
    return this.planner.loadedOptions(call, model);
  }

  /** After a side call that may have loaded or unloaded a model: the next decision looks first. */
  lookAgain(origin: string): void {
    this.planner.lookAgain(origin);
  }

  /** Ends the tokenizer's worker. The store stays open: it may have other users. */
  async close(): Promise<void> {
    this.planner.close();
    await this.pool.close();
  }
}

/** A reader that was aborted while it held a chunk never asks for the next one: the call ends by the signal. */
function endOnAbort(signal: AbortSignal | undefined, end: EndOfCall): void {
  if (!signal) return;
  const aborted = (): void => end(signal.reason);
  signal.addEventListener("abort", aborted, { once: true });
  void end.recorded.then(() => signal.removeEventListener("abort", aborted));
}

interface FirstLine {
  readonly chunk: EngineChunk;
  next(): Promise<EngineChunk | null>;
  /** All of the reply has come; closing keeps the connection then. */
  release(): void;
  close(): Promise<void>;
}

/** The first line of a reply, or its refusal: as a status, or as an error line before any output. */
async function firstLine(
  reply: WireReply,
  model: string,
): Promise<FirstLine | { readonly status: number; readonly body: string }> {
  if (reply.status >= 400) {
    return { status: reply.status, body: new TextDecoder().decode(await readBody(reply)) };
  }
  const lines = linesOf(reply.body);
  const next = async (): Promise<EngineChunk | null> => {
    const { done, value } = await lines.next();
    return done ? null : { raw: value, data: JSON.parse(value) as WireChunk };
  };
  const close = async (): Promise<void> => {
    await lines.return(undefined);
  };
  const chunk = await next().catch((error: unknown) => {
    throw replyError(error, model);
  });
  if (!chunk) throw incompleteReply(model);
  if (chunk.data.error !== undefined) {
    await close();
    return { status: 500, body: chunk.data.error };
  }
  return { chunk, next, release: () => reply.release?.(), close };
}

function replyError(error: unknown, model: string): unknown {
  if (OptimizerError.isInstance(error)) return error;
  return isAbort(error) ? error : incompleteReply(model, error);
}

function isAbort(error: unknown): boolean {
  return error instanceof Error && (error.name === "AbortError" || error.name === "TimeoutError");
}

/** Not a failure of the optimizer: it says no, or whoever admits calls does. */
function isRefusal(error: unknown): boolean {
  return OptimizerError.isInstance(error) && REFUSALS.has(error.code);
}

function nameOf(error: unknown): string {
  if (OptimizerError.isInstance(error)) return error.code;
  return error instanceof Error ? error.name : typeof error;
}

/** Observes any LangChain model and keeps what each call cost. */
import { BaseCallbackHandler } from "@langchain/core/callbacks/base";
import type { ChatModelStreamEvent } from "@langchain/core/language_models/event";
import type { Serialized } from "@langchain/core/load/serializable";
import type { BaseMessage } from "@langchain/core/messages";
import type { ChatGenerationChunk, GenerationChunk, LLMResult } from "@langchain/core/outputs";
import { isRecorded } from "../errors.js";
import { type Logger, silentLogger, warnSafely } from "../logger.js";
import { OBSERVED_CALL, type RequestRecord } from "../records.js";
import type { OptimizerStore } from "../storage/store.js";
import { type StoreOption, storeOf } from "../storage/storeOf.js";
import { errorCode } from "./errorCode.js";
import { hasOutput, type RunStart, readReply, readStart } from "./run.js";

/** Where records go and what they carry. */
export interface OptimizerCallbackHandlerOptions {
  /** A folder, a store, or `false` for memory only. Default: the user's state folder, as for the chat model. */
  readonly store?: StoreOption;
  /** Hears once if records cannot be kept. Default: nobody. */
  readonly logger?: Logger;
  /** Added to every record, before the run's own tags. */
  readonly tags?: readonly string[];
  /** Default: the machine's. */
  readonly clock?: CallbackClock;
}

/** The two clocks of a record: durations must not jump when the time of day is set. */
export interface CallbackClock {
  /** Milliseconds since any fixed moment; never goes back. */
  monotonicMs(): number;
  /** The present moment; records begin at it. */
  date(): Date;
}

/** A model run between its start and its end. */
interface OpenRun {
  readonly start: RunStart;
  readonly startedMs: number;
  readonly at: string;
  firstTokenMs: number | null;
}

/** A stream that its consumer leaves never ends for LangChain; the oldest such runs are forgotten beyond this. */
const MAX_OPEN_RUNS = 10_000;

const machineClock: CallbackClock = { monotonicMs: () => performance.now(), date: () => new Date() };

/**
 * Keeps latency, time to first token, token usage and error code of every model call, of any LangChain chat
 * model or text model, alone or inside chains, agents and graphs. No prompt or reply text is kept.
 *
 * A call that `OptimizedChatOllama` has recorded itself is left out, and so is a reply that came from a cache.
 * A run is never broken, and held up only by the microseconds of building its record: writing is the store's,
 * in the background. Two cases stay unseen, as LangChain tells no handler of them: a stream that its consumer
 * leaves early, and `model.streamEvents()` without a version called straight on a model (in a graph it is seen).
 * `OptimizedChatOllama` records both itself.
 *
 * @example
 * const handler = new OptimizerCallbackHandler({ store: "./optimizer" });
 * await agent.invoke({ messages }, { callbacks: [handler] });
 * for await (const call of handler.store.requests()) console.log(call.model, call.totalMs, call.outputTokens);
 * await handler.store.flush();
 */
export class OptimizerCallbackHandler extends BaseCallbackHandler {
  override readonly name = "OptimizerCallbackHandler";
  /** Shared with every model and handler of the same folder; closing it closes it for them too. */
  readonly store: OptimizerStore;
  private readonly logger: Logger;
  private readonly tags: readonly string[];
  private readonly clock: CallbackClock;
  private readonly runs = new Map<string, OpenRun>();
  private hasWarned = false;

  /** @throws OptimizerError `OPTION_INVALID`, and what opening a folder throws (`STORE_READ_ONLY` ...) */
  constructor(options: OptimizerCallbackHandlerOptions = {}) {
    super({
      ignoreChain: true,
      ignoreAgent: true,
      ignoreRetriever: true,
      ignoreCustomEvent: true,
      // LangChain's other way is one queue for all handlers of the process, where a neighbour of 100 ms a token
      // moved the end of a 9 ms call to 411 ms. Here nothing is awaited, so running at once costs less than
      // the queue does.
      _awaitHandler: true,
    });
    this.logger = options.logger ?? silentLogger;
    this.tags = options.tags ?? [];
    this.clock = options.clock ?? machineClock;
    this.store = storeOf(options.store, options.logger);
  }

  /** The same handler: a run that a copy saw start could not end here. */
  override copy(): BaseCallbackHandler {
    return this;
  }

  override handleChatModelStart(
    llm: Serialized,
    _messages: BaseMessage[][],
    runId: string,
    _parentRunId?: string,
    extraParams?: Record<string, unknown>,
    tags?: string[],
    metadata?: Record<string, unknown>,
  ): void {
    this.safely(() => this.start(runId, readStart(llm, extraParams, tags, metadata)));
  }

  override handleLLMStart(
    llm: Serialized,
    _prompts: string[],
    runId: string,
    _parentRunId?: string,
    extraParams?: Record<string, unknown>,
    tags?: string[],
    metadata?: Record<string, unknown>,
  ): void {
    this.safely(() => this.start(runId, readStart(llm, extraParams, tags, metadata)));
  }

  override handleLLMNewToken(
    token: string,
    _index: unknown,
    runId: string,
    _parentRunId?: string,
    _tags?: string[],
    fields?: { chunk?: GenerationChunk | ChatGenerationChunk },
  ): void {
    this.safely(() => {
      if (token !== "" || hasOutput(fields?.chunk)) this.sawOutput(runId);
    });
  }

  override handleChatModelStreamEvent(event: ChatModelStreamEvent, runId: string): void {
    this.safely(() => {
      if (event.event === "content-block-delta") this.sawOutput(runId);
    });
  }

  override handleLLMEnd(
    output: LLMResult,
    runId: string,
    _parentRunId?: string,
    _tags?: string[],
    extraParams?: Record<string, unknown>,
  ): void {
    this.safely(() => {
      const run = this.end(runId);
      // A cached reply carries the durations of the call that once made it.
      if (!run || extraParams?.cached === true) return;
      const reply = readReply(output);
      if (reply.isRecorded) return;
      const { isRecorded: _, model, totalMs, ...figures } = reply;
      this.record(runId, run, {
        ...figures,
        model: run.start.model ?? model ?? run.start.component,
        // The server's own figure, where it has one, leaves out what a slow consumer adds to a stream.
        totalMs: totalMs ?? this.since(run),
        error: null,
      });
    });
  }

  override handleLLMError(error: unknown, runId: string): void {
    this.safely(() => {
      const run = this.end(runId);
      if (run && !isRecorded(error)) this.record(runId, run, { error: errorCode(error) });
    });
  }

  private start(runId: string, start: RunStart): void {
    const at = this.clock.date().toISOString();
    this.runs.set(runId, { start, at, firstTokenMs: null, startedMs: this.clock.monotonicMs() });
    if (this.runs.size > MAX_OPEN_RUNS) this.runs.delete(this.runs.keys().next().value as string);
  }

  private sawOutput(runId: string): void {
    const run = this.runs.get(runId);
    if (run && run.firstTokenMs === null) run.firstTokenMs = this.since(run);
  }

  private end(runId: string): OpenRun | undefined {
    const run = this.runs.get(runId);
    this.runs.delete(runId);
    return run;
  }

  private since(run: OpenRun): number {
    return this.clock.monotonicMs() - run.startedMs;
  }

  private record(runId: string, run: OpenRun, outcome: Partial<RequestRecord>): void {
    const { start } = run;
    const tags = [...new Set([...this.tags, ...start.tags])];
    const request: RequestRecord = {
      ...OBSERVED_CALL,
      // Two handlers on one store see the same run; a store appends an id once.
      id: runId,
      runId,
      at: run.at,
      serverId: start.serverId,
      model: start.model ?? start.component,
      numCtx: start.numCtx,
      numBatch: start.numBatch,
      totalMs: this.since(run),
      timeToFirstTokenMs: run.firstTokenMs,
      ...(tags.length > 0 && { tags }),
      ...outcome,
    };
    this.store.append(request).catch((error: unknown) => this.warn(error));
  }

  /** LangChain prints what a handler throws, once per event. Here it is said once. */
  private safely(step: () => void): void {
    try {
      step();
    } catch (error) {
      this.warn(error);
    }
  }

  private warn(error: unknown): void {
    if (this.hasWarned) return;
    this.hasWarned = true;
    warnSafely(this.logger, `Calls are not being recorded in ${this.store.location}: ${errorCode(error)}`);
  }
}

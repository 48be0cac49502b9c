/** Replies that are given again, ahead of queue and decision: the same call gets the same reply, without the model. */
import { nodeTransport } from "../../backend/transport.js";
import type { WireChunk, WireRequest } from "../../backend/wire.js";
import { unlessAborted } from "../../cache/flights.js";
import type { CacheHit, EntryCache, ReplyCacheOptions } from "../../cache/index.js";
import { keyPattern } from "../../cache/keyPattern.js";
import { keyRefusal, refusalOf } from "../../cache/storable.js";
import type { EngineChunk, EngineReply } from "../../engine/types.js";
import { silentLogger } from "../../logger.js";
import { type Activity, type TrackedCall, UNTOLD } from "../activity.js";
import { type CallEngine, type ServerCall, startOf } from "../callEngine.js";
import { codeOfFailure, failureOf, isAbort } from "../failure.js";
import { ModelDigests } from "./modelDigests.js";
import { replyKey } from "./replyKey.js";
import { SharedReply } from "./sharedReply.js";
import { readReply, replayed, wholeOf, withoutFigures } from "./storedReply.js";

/** Names that every place takes as a part of a key, and a header as a value. */
const PLAIN_NAME = /^[\x21-\x7e]{1,256}$/;

/** A reply, of the model or not, as routes read it. */
export interface AnsweredReply extends Pick<EngineReply, "status" | "headers" | "chunks"> {
  /** null: the model did not answer. */
  readonly decision: EngineReply["decision"] | null;
}

interface Flight {
  readonly reply: SharedReply;
  readonly streams: boolean;
}

/**
 * What calls get that are answered from a cache, or into it. Of equal calls at the same time one goes to the model, and
 * the others read along; it ends when all of them have left. The place failing never fails a call.
 */
export class ReplyCache {
  readonly #flights = new Map<string, Flight>();
  #isTold = false;
  readonly #digests = new ModelDigests();

  constructor(
    readonly entries: EntryCache,
    private readonly options: Pick<ReplyCacheOptions, "sampled" | "costOf" | "logger">,
    private readonly engine: CallEngine,
    private readonly activity: Activity,
  ) {}

  /**
   * The reply to a call; null for one that has nothing to do with a cache.
   *
   * @param signal ends this call alone
   * @throws what the engine throws, and the signal's reason
   */
  async answer(
    call: ServerCall,
    signal: AbortSignal,
  ): Promise<{ reply: AnsweredReply; headers: Record<string, string> } | null> {
    if (!this.#accepts(call.body)) return null;
    const { transport = nodeTransport, body } = call;
    const digest = this.#digests.of({ ...call, transport }, body.model);
    const key = replyKey(call, await unlessAborted(digest, signal));
    const told = (hit: boolean) => ({
      "x-optimizer-cache": hit ? "hit" : "miss",
      "x-optimizer-cache-key": key,
    });
    let flight = this.#flights.get(key);
    if (!flight) {
      const hit = await this.entries.read(key, readReply);
      if (hit) return { reply: this.#given(call, hit), headers: told(true) };
      flight = this.#flights.get(key);
      // It was no miss after all: an equal call had begun meanwhile.
      if (flight) this.entries.tally.misses--;
    }
    if (flight) return { reply: await this.#shared(call, flight, signal), headers: told(true) };
    return { reply: await this.#sent(call, key, signal), headers: told(false) };
  }

  /** Models may have been made anew. */
  lookAgain(): void {
    this.#digests.lookAgain();
  }

  /**
   * Removes kept replies. What calls under way bring for them is not kept, nor given to those that come from now on.
   *
   * @param which a key or a pattern; left out, everything
   * @returns how many were removed
   */
  invalidate(which: string = "*"): Promise<number> {
    const isMeant = keyPattern(which);
    for (const key of this.#flights.keys()) if (isMeant(key)) this.#flights.delete(key);
    return this.entries.invalidate(which);
  }

  #accepts({ model, options }: WireRequest): boolean {
    const temperature = typeof options?.temperature === "number" ? options.temperature : null;
    const refusal = keyRefusal({ model, temperature, isOllama: true }, this.options.sampled ?? false);
    if (refusal !== null && !this.#isTold) {
      this.#isTold = true;
      (this.options.logger ?? silentLogger).warn(`The cache leaves some calls alone: ${refusal.text}.`);
    }
    const reason = refusal?.reason ?? (PLAIN_NAME.test(model) ? null : "other");
    if (reason !== null) this.entries.tally.skipped[reason]++;
    return reason === null;
  }

  /** What was kept. */
  #given(call: ServerCall, { value }: CacheHit<WireChunk>): AnsweredReply {
    const { body } = call;
    this.activity.begin(startOf(call)).end(HIT);
    this.#credit(body.model, value);
    const lines = replayed(value, body.model, body.stream !== false, this.entries.now());
    return replyOf(body, linesOf(lines));
  }

  /** What an equal call under way gets. */
  async #shared(call: ServerCall, flight: Flight, signal: AbortSignal): Promise<AnsweredReply> {
    const { body } = call;
    const tracked = this.activity.begin(startOf(call));
    const failed = (error: unknown): void => tracked.end(failure(error));
    signal.addEventListener("abort", () => failed(signal.reason), { once: true });
    try {
      const chunks = await flight.reply.join(signal);
      tracked.change({ phase: "answering" });
      return replyOf(body, this.#along(body, chunks, flight.streams, tracked));
    } catch (error) {
      failed(error);
      throw error;
    }
  }

  async *#along(
    body: WireRequest,
    chunks: AsyncIterable<EngineChunk>,
    isStreamed: boolean,
    tracked: TrackedCall,
  ): AsyncGenerator<EngineChunk> {
    const streams = body.stream !== false;
    const read: WireChunk[] = [];
    try {
      for await (const chunk of chunks) {
        read.push(chunk.data);
        if (chunk.data.done) this.#joined(body.model, read, tracked);
        if (streams !== isStreamed) continue;
        yield chunk.data.done ? lineOf(withoutFigures(chunk.data)) : chunk;
      }
    } catch (error) {
      tracked.end(failure(error));
      throw error;
    }
    if (streams !== isStreamed) {
      yield* linesOf(replayed(wholeOf(read), body.model, streams, this.entries.now()));
    }
  }

  #joined(model: string, read: readonly WireChunk[], tracked: TrackedCall): void {
    this.entries.tally.hits++;
    this.#credit(model, wholeOf(read));
    tracked.end(HIT);
  }

  /** What the model says, and keeps it. */
  async #sent(call: ServerCall, key: string, signal: AbortSignal): Promise<AnsweredReply> {
    const flight: Flight = {
      streams: call.body.stream !== false,
      reply: new SharedReply(
        (whenAllLeft) => this.engine.send({ ...call, signal: whenAllLeft }),
        (chunks) => void this.#landed(key, flight, chunks),
      ),
    };
    this.#flights.set(key, flight);
    const chunks = await flight.reply.join(signal);
    const { status, headers, decision } = await flight.reply.opened;
    return { status, headers, decision, chunks };
  }

  /** Equal calls read along until it is stored. */
  async #landed(key: string, flight: Flight, chunks: readonly EngineChunk[] | null): Promise<void> {
    const isWanted = (): boolean => this.#flights.get(key) === flight;
    if (chunks) {
      const { decision } = await flight.reply.opened;
      const whole = wholeOf(chunks.map(({ data }) => data));
      const generation = { text: saidIn(whole), generationInfo: { ...whole, optimizer: decision() } };
      const refusal = refusalOf(generation);
      if (refusal !== null) this.entries.tally.skipped[refusal]++;
      else if (isWanted()) await this.entries.set(key, JSON.stringify(whole));
    }
    if (isWanted()) this.#flights.delete(key);
  }

  /** Adds what a hit saved. */
  #credit(model: string, whole: WireChunk): void {
    const { total_duration = 0, prompt_eval_count = 0, eval_count = 0 } = whole;
    const { costOf, logger = silentLogger } = this.options;
    const usage = { model, inputTokens: prompt_eval_count, outputTokens: eval_count };
    this.entries.tally.credit(total_duration / 1e6, usage, costOf, logger);
  }
}

/** Of a call that the model did not answer. */
const HIT = { ...UNTOLD, cached: true, status: 200, reason: "the same call was answered before" } as const;

function failure(error: unknown) {
  const status = isAbort(error) ? 499 : failureOf(error).status;
  return { ...UNTOLD, cached: true, status, errorCode: codeOfFailure(error) };
}

function replyOf({ stream }: WireRequest, chunks: AsyncIterable<EngineChunk>): AnsweredReply {
  const type = stream === false ? "application/json; charset=utf-8" : "application/x-ndjson";
  return { status: 200, headers: { "content-type": type }, decision: null, chunks };
}

async function* linesOf(chunks: readonly WireChunk[]): AsyncGenerator<EngineChunk> {
  for (const chunk of chunks) yield lineOf(chunk);
}

function lineOf(data: WireChunk): EngineChunk {
  return { raw: JSON.stringify(data), data };
}

/** Text or calls; "" of a reply that holds neither. */
function saidIn({ message, response }: WireChunk): string {
  const text = message?.content || response || "";
  return text.trim() || message?.tool_calls?.map((call) => call.function.name).join() || "";
}

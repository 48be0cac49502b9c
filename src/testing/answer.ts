/** From a loaded model to the last line of the reply. */
import type { CallOptions } from "./callOptions.js";
import { asRefusal, handOver, nanoseconds } from "./calls.js";
import type { ChatMessage } from "./chatTemplate.js";
import { type GenerateEvent, OutOfMemory } from "./engine.js";
import type { CallFacts, Exchange } from "./exchange.js";
import { type Failure, failureTexts } from "./failures.js";
import { Refusal } from "./goJson.js";
import type { ServedModel } from "./model.js";
import { fitPrompt } from "./promptFit.js";
import { type Endpoint, type ReplyMetrics, type ReplyPart, replyRecord, zeroReply } from "./replyRecords.js";
import type { Slot } from "./scheduler.js";
import type { ServerState } from "./serverState.js";
import type { Stopwatch } from "./stopwatch.js";
import { outputLimit } from "./windows.js";

/** A call with everything settled but its reply. */
export interface Question {
  readonly endpoint: Endpoint;
  /** The model as the client named it. */
  readonly name: string;
  readonly body: Readonly<Record<string, unknown>>;
  readonly model: ServedModel;
  readonly options: CallOptions;
  readonly messages: readonly ChatMessage[];
  /** A prompt that no template touches, instead of the messages. */
  readonly text: string | null;
  readonly tools: readonly unknown[];
  readonly think: boolean | undefined;
  readonly truncate: boolean;
  readonly shift: boolean;
  readonly slot: Slot;
  readonly loaded: boolean;
  readonly stopwatch: Stopwatch;
  readonly loadNanoseconds: number;
}

export async function answer(state: ServerState, exchange: Exchange, question: Question): Promise<void> {
  const { endpoint, name, body, slot } = question;
  const prompt = fitPrompt(question, state.generation);
  if (body._debug_render_only === true) {
    const record = replyRecord(endpoint, name, state.clock.now(), { content: "" });
    const silent = endpoint === "chat" ? { message: { role: "", content: "" } } : {};
    return exchange.json(200, { ...record, ...silent, _debug_info: { rendered_template: prompt.text } });
  }
  await handOver(slot, async () => {
    const facts: CallFacts = {
      numCtx: slot.numCtx,
      numBatch: slot.numBatch,
      loaded: question.loaded,
      promptTokens: prompt.wholeTokens,
      promptEvalCount: 0,
      droppedMessages: prompt.droppedMessages,
      cut: prompt.droppedMessages > 0,
      cachedTokens: 0,
      outputTokens: 0,
      shifted: false,
      doneReason: null,
    };
    exchange.entry.facts = facts;
    try {
      const tokens = prompt.tokens();
      exchange.entry.facts = {
        ...facts,
        promptEvalCount: tokens.length,
        cut: facts.cut || tokens.length < prompt.length,
      };
      await reply(state, exchange, question, prompt.text, tokens, exchange.entry.facts);
    } catch (error) {
      if (error instanceof OutOfMemory) state.scheduler.unloadAll();
      await refuse(exchange, question, error);
    } finally {
      if (exchange.signal.aborted)
        exchange.entry.aborted = { outputTokens: exchange.entry.facts.outputTokens };
    }
  });
}

/** Before any output an error is a status; after it, a line. */
async function refuse(exchange: Exchange, question: Question, error: unknown): Promise<void> {
  const refusal = asRefusal(error);
  if (!refusal) throw error;
  if (exchange.begun) {
    await exchange.line({ error: refusal.message });
    return exchange.end();
  }
  const streamed = question.body.stream !== false;
  exchange.json(refusal.status, { error: refusal.message }, streamed ? "application/json" : undefined);
}

async function reply(
  state: ServerState,
  exchange: Exchange,
  question: Question,
  text: string,
  tokens: readonly number[],
  facts: CallFacts,
): Promise<void> {
  const { endpoint, name, model, slot, options } = question;
  const { path } = exchange.entry;
  const failure = state.failures.take(path, name, ({ kind }) => kind !== "outOfMemory");
  if (failure?.kind === "crash") {
    state.scheduler.crashed(slot);
    throw new Refusal(500, failure.message ?? failureTexts.crash);
  }
  const streamed = question.body.stream !== false;
  const limit = outputLimit(options.num_predict as number | undefined, slot.numCtx, state.generation);
  const nothing = (): void => (streamed ? exchange.end() : exchange.json(200, zeroReply(endpoint)));
  if (failure?.kind === "emptyNotDone") return nothing();

  const events = slot.runner.generate({
    tokens,
    limit,
    shift: question.shift,
    stop: (options.stop as readonly string[] | undefined) ?? [],
    temperature: (options.temperature as number | undefined) ?? 0.8,
    seed: options.seed as number | undefined,
    format: question.body.format || undefined,
    call: {
      endpoint,
      model: name,
      messages: question.messages,
      prompt: text,
      tools: question.tools,
      format: question.body.format || undefined,
      think: question.think === true,
      options,
      index: state.answered++,
    },
    spill: slot.placement.vramBytes > 0 ? 1 - slot.placement.vramBytes / slot.placement.sizeBytes : 0,
    stopwatch: question.stopwatch,
    signal: exchange.signal,
  });

  const whole = new WholeReply();
  let promptMs = 0;
  let end: Extract<GenerateEvent, { type: "end" }> | undefined;
  let chunks = 0;
  for await (const event of events) {
    if (event.type === "prompt") {
      facts.cachedTokens = event.cachedTokens;
      promptMs = event.durationMs;
    } else if (event.type === "end") end = event;
    else {
      facts.outputTokens += event.tokens;
      const part = whole.add(event, () => toolCallId(state));
      if (part && streamed) {
        await exchange.line(replyRecord(endpoint, name, state.clock.now(), part));
      } else await new Promise((resolve) => setImmediate(resolve));
      if (failure && ++chunks >= (failure.afterChunks ?? 1)) break;
    }
  }
  if (exchange.signal.aborted) return;
  if (limit === 0) return nothing();
  if (failure)
    return fail(exchange, question, failure, replyRecord(endpoint, name, state.clock.now(), whole.part()));
  if (!end) return exchange.destroy();

  facts.shifted = end.shifted;
  facts.doneReason = end.reason;
  const metrics: ReplyMetrics = {
    doneReason: end.reason,
    total: nanoseconds(question.stopwatch.elapsedMs),
    load: question.loadNanoseconds,
    promptTokens: tokens.length,
    cachedTokens: state.generation.countsCached ? facts.cachedTokens : undefined,
    prompt: nanoseconds(promptMs),
    outputTokens: facts.outputTokens,
    output: nanoseconds(end.durationMs),
    context:
      endpoint === "generate" && question.body.raw !== true
        ? model.tokenizer.encode(text + whole.part().content)
        : undefined,
  };
  const last = replyRecord(
    endpoint,
    name,
    state.clock.now(),
    streamed ? { content: "" } : whole.part(),
    metrics,
  );
  if (!streamed) return exchange.json(200, last);
  await exchange.line(last);
  exchange.end();
}

async function fail(exchange: Exchange, question: Question, failure: Failure, soFar: unknown): Promise<void> {
  const streamed = question.body.stream !== false;
  switch (failure.kind) {
    case "dropConnection":
      return exchange.destroy();
    case "noFinalRecord":
      return streamed ? exchange.end() : exchange.json(200, soFar);
    case "invalidJson": {
      const broken = JSON.stringify(soFar).slice(0, -8);
      if (!streamed) return exchange.plain(200, broken, "application/json; charset=utf-8");
      await exchange.rawLine(broken);
      return exchange.end();
    }
    default:
      throw new Refusal(failure.status ?? 500, failure.message ?? failureTexts.midStreamError);
  }
}

/** Collects a reply for those who do not stream. */
class WholeReply {
  private content = "";
  private thinking = "";
  private readonly toolCalls: NonNullable<ReplyPart["toolCalls"]>[number][] = [];

  /** The part that a stream sends; undefined when there is nothing to send. */
  add(event: Extract<GenerateEvent, { type: "output" }>, id: () => string): ReplyPart | undefined {
    if (event.toolCall) {
      const call = { id: id(), index: this.toolCalls.length, call: event.toolCall };
      this.toolCalls.push(call);
      return { content: "", toolCalls: [call] };
    }
    this.content += event.content ?? "";
    this.thinking += event.thinking ?? "";
    if (!event.content && !event.thinking) return undefined;
    return { content: event.content ?? "", thinking: event.thinking };
  }

  part(): ReplyPart {
    return { content: this.content, thinking: this.thinking, toolCalls: this.toolCalls };
  }
}

/** Ollama's are random, these are counted. */
function toolCallId(state: ServerState): string {
  return `call_${(state.toolCalls++).toString(36).padStart(8, "0")}`;
}

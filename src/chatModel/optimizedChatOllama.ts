/** LangChain's ChatOllama with the window decided before each call. */
import type { CallbackManagerForLLMRun, Callbacks } from "@langchain/core/callbacks/manager";
import type { BaseLanguageModelInput } from "@langchain/core/language_models/base";
import type { ChatModelStreamEvent } from "@langchain/core/language_models/event";
import type { ModelProfile } from "@langchain/core/language_models/profile";
import type { ChatModelStream } from "@langchain/core/language_models/stream";
import {
  type AIMessageChunk,
  type BaseMessage,
  type BaseMessageLike,
  coerceMessageLikeToMessage,
  getBufferString,
  HumanMessage,
  type MessageContent,
} from "@langchain/core/messages";
import type { ChatGenerationChunk, LLMResult } from "@langchain/core/outputs";
import type { Runnable, RunnableBatchOptions } from "@langchain/core/runnables";
import type { StreamEvent } from "@langchain/core/tracers/log_stream";
import type { IterableReadableStream } from "@langchain/core/utils/stream";
import { ChatOllama } from "@langchain/ollama";
import type { WireChunk, WireMessage, WireRequest } from "../backend/wire.js";
import { isStreamingCache } from "../cache/streamingCache.js";
import type { EngineReply } from "../engine/types.js";
import { WindowOverflow } from "../errors.js";
import { type Configuration, configuration } from "../optimizer/configuration.js";
import type { CountSource } from "../records.js";
import type { OptimizerStore } from "../storage/store.js";
import { storeOf } from "../storage/storeOf.js";
import { HEAD_CHARACTERS, inOrder, orderThatMatters } from "./affinityBatch.js";
import { cachedLines } from "./cachedLines.js";
import { answerParameters, cacheKey, unseenHash } from "./cacheKey.js";
import { CallSender } from "./callSender.js";
import { engineOf } from "./engineOf.js";
import { asLangChainError } from "./langChainErrors.js";
import { stopsWhenLeft } from "./leftStream.js";
import { convertible } from "./messages.js";
import { modelProfile } from "./modelProfile.js";
import { stopWhenLeft, withIdsAndFigures, withJoinedToolCalls } from "./nativeStream.js";
import { oneSignal, oneSignalEach } from "./oneSignal.js";
import { type OptCommand, stripOptCommands } from "./optCommand.js";
import {
  checkInput,
  checkOptions,
  type OptimizedChatOllamaCallOptions,
  type OptimizedChatOllamaInput,
  type OptimizeMode,
} from "./options.js";
import { trimToFit } from "./overflow.js";
import { type Lines, linesOf, perCallClient } from "./perCallClient.js";
import { textOf } from "./text.js";
import { withToolNames } from "./toolResults.js";
import { TypedChatOllama } from "./typedChatOllama.js";
import { VERSION } from "./version.js";

type ParsedOptions = TypedChatOllama["ParsedCallOptions"];
type BatchOptions = Partial<OptimizedChatOllamaCallOptions> | Partial<OptimizedChatOllamaCallOptions>[];
type EventFilter = Parameters<Runnable["streamEvents"]>[2];

/** One call, and what its view of the model needs to know of it. */
interface Call {
  readonly messages: BaseMessage[];
  /** The same as the caller wrote them, without `/opt`: what a cache's key is made of. */
  readonly given: BaseMessage[];
  readonly command: OptCommand | undefined;
  readonly options: ParsedOptions;
  readonly run: CallbackManagerForLLMRun | undefined;
}

/** Marks what LangChain's cache key would miss of an input; a symbol reaches neither tracing nor the wire. */
const UNSEEN = Symbol("unseen");
/** Marks a call that goes out as it is: Ollama may cut its prompt, and its reply is no other call's. */
const UNDECIDED = Symbol("undecided");
/** Marks a call that was looked for in the cache already. */
const LOOKED_UP = Symbol("lookedUp");

/**
 * `ChatOllama` that decides `num_ctx` and `num_batch` before each call, so that no prompt is cut silently and the
 * model is almost never reloaded. Takes the same fields and call options, and those of the optimizer.
 *
 * Every reply carries the decision with its outcome as `response_metadata.optimizer`.
 *
 * @throws OptimizerError `OPTION_INVALID` for options that Ollama would misread, before anything is sent
 *
 * @example
 * const model = new OptimizedChatOllama({ model: "qwen3:8b", store: "./optimizer" });
 * const reply = await model.invoke("Why is the sky blue?", { keepAlive: "1h" });
 * console.log(reply.response_metadata.optimizer); // the decision, its reason and its outcome
 */
export class OptimizedChatOllama extends TypedChatOllama {
  /** @internal Names it in LangChain's traces. */
  static override lc_name(): string {
    return "OptimizedChatOllama";
  }

  /** Where decisions, profiles, templates and the request log are kept; shared by models of the same store. */
  readonly store: OptimizerStore;
  readonly optimize: OptimizeMode;
  private readonly configuration: Configuration;
  private readonly sender: CallSender;

  constructor(model: string, fields?: Omit<OptimizedChatOllamaInput, "model">);
  constructor(fields?: OptimizedChatOllamaInput);
  constructor(modelOrFields: string | OptimizedChatOllamaInput = {}, others: OptimizedChatOllamaInput = {}) {
    const fields = typeof modelOrFields === "string" ? { ...others, model: modelOrFields } : modelOrFields;
    checkOptions(fields);
    const tuning = configuration(fields.optimizer);
    super(fields);
    this._addVersion("langchain-ollama-optimizer", VERSION);
    this.configuration = tuning;
    this.optimize = fields.optimize ?? true;
    this.store = storeOf(fields.store, fields.logger);
    this.sender = new CallSender(engineOf(this.store, fields.logger), this.client, fields, tuning);
  }

  /** What the user's options make of a request; the decided window is not in it. */
  override invocationParams(options?: ParsedOptions): ReturnType<ChatOllama["invocationParams"]> {
    const parameters = super.invocationParams(options);
    const { numCtx, numBatch, keepAlive, think } = options ?? {};
    return {
      ...parameters,
      keep_alive: keepAlive ?? parameters.keep_alive,
      think: think ?? parameters.think,
      options: {
        ...parameters.options,
        num_ctx: numCtx ?? parameters.options?.num_ctx,
        num_batch: numBatch ?? parameters.options?.num_batch,
      },
    } as ReturnType<ChatOllama["invocationParams"]>;
  }

  override async invoke(
    input: BaseLanguageModelInput,
    options?: Partial<OptimizedChatOllamaCallOptions>,
  ): Promise<AIMessageChunk> {
    checkInput(input);
    return super.invoke(input, options && oneSignal(options));
  }

  override async stream(
    input: BaseLanguageModelInput,
    options?: Partial<OptimizedChatOllamaCallOptions>,
  ): Promise<IterableReadableStream<AIMessageChunk>> {
    return super.stream(input, options && oneSignal(options));
  }

  /** @internal Called by LangChain. */
  override async *_streamIterator(
    input: BaseLanguageModelInput,
    options?: Partial<OptimizedChatOllamaCallOptions>,
  ): AsyncGenerator<AIMessageChunk> {
    checkInput(input);
    yield* super._streamIterator(input, options);
  }

  /** Ways 1 to 3: `invoke` and `batch`, `stream`, `streamEvents` v1 and v2, LangGraph's messages mode. */
  override async *_streamResponseChunks(
    messages: BaseMessage[],
    options: ParsedOptions,
    runManager?: CallbackManagerForLLMRun,
  ): AsyncGenerator<ChatGenerationChunk> {
    const chunks: AIMessageChunk[] = [];
    try {
      options.signal?.throwIfAborted();
      const call = this.callOf(messages, options, runManager);
      const view = this.viewFor(call, (path, request) =>
        this.answered(call, async () => linesOf(await this.send(call, path, request), call.command?.explain)),
      );
      const stream = ChatOllama.prototype._streamResponseChunks;
      for await (const chunk of stream.call(view, call.messages, options, runManager)) {
        chunks.push(chunk.message as AIMessageChunk);
        yield chunk;
        // LangChain leaves out the chunk with usage and figures here, and v2 streams never show them.
        if ("done" in chunk.message.response_metadata) {
          await runManager?.handleLLMNewToken("", undefined, undefined, undefined, undefined, { chunk });
        }
      }
      options.signal?.throwIfAborted();
    } catch (error) {
      throw asLangChainError(error, options.signal, () => joined(chunks));
    }
  }

  /** Way 4: `streamEvents` without a version, LangGraph's v3 streams. */
  override async *_streamChatModelEvents(
    messages: BaseMessage[],
    options: ParsedOptions,
    runManager?: CallbackManagerForLLMRun,
  ): AsyncGenerator<ChatModelStreamEvent> {
    let done: WireChunk | undefined;
    try {
      options.signal?.throwIfAborted();
      const call = this.callOf(messages, options, runManager);
      const think = options.think ?? this.think;
      const view = this.viewFor(call, async (path, request) => {
        const lines = await this.answered(call, async () =>
          linesOf(await this.send(call, path, { ...request, think }), call.command?.explain),
        );
        return withJoinedToolCalls(lines, (line) => {
          done = line;
        });
      });
      // Models that think do so unless told not to; ChatOllama shows it only when told to.
      Object.defineProperty(view, "think", { value: think ?? true });
      const stream = ChatOllama.prototype._streamChatModelEvents;
      yield* withIdsAndFigures(stream.call(view, call.messages, options), () => done);
      options.signal?.throwIfAborted();
    } catch (error) {
      throw asLangChainError(error, options.signal, () => undefined);
    }
  }

  /** Like `ChatOllama`'s, and leaving the stream of events or text early stops the server. */
  override streamEvents(
    input: BaseLanguageModelInput,
    options: Partial<OptimizedChatOllamaCallOptions> & {
      version: "v1" | "v2";
      encoding: "text/event-stream";
    },
    streamOptions?: EventFilter,
  ): IterableReadableStream<Uint8Array>;
  override streamEvents(
    input: BaseLanguageModelInput,
    options: Partial<OptimizedChatOllamaCallOptions> & { version: "v1" | "v2" },
    streamOptions?: EventFilter,
  ): IterableReadableStream<StreamEvent>;
  override streamEvents(
    input: BaseLanguageModelInput,
    options?: Partial<OptimizedChatOllamaCallOptions>,
  ): ChatModelStream;
  override streamEvents(
    input: BaseLanguageModelInput,
    options: Partial<OptimizedChatOllamaCallOptions> & { version?: string } = {},
    streamOptions?: EventFilter,
  ): ChatModelStream | IterableReadableStream<StreamEvent> | IterableReadableStream<Uint8Array> {
    const stop = new AbortController();
    const stoppable = oneSignal(options, stop.signal);
    if (options.version === "v1" || options.version === "v2") {
      const events = super.streamEvents(input, stoppable as { version: "v2" }, streamOptions);
      return stopsWhenLeft(events, () => stop.abort());
    }
    checkInput(input);
    return stopWhenLeft(super.streamEvents(input, stoppable), () => stop.abort());
  }

  /** Calls whose prompts begin alike go next to each other, so that the prefix cache serves them. */
  override async batch(
    inputs: BaseLanguageModelInput[],
    options?: BatchOptions,
    batchOptions?: RunnableBatchOptions & { returnExceptions?: false },
  ): Promise<AIMessageChunk[]>;
  override async batch(
    inputs: BaseLanguageModelInput[],
    options?: BatchOptions,
    batchOptions?: RunnableBatchOptions,
  ): Promise<(AIMessageChunk | Error)[]>;
  override async batch(
    inputs: BaseLanguageModelInput[],
    given: BatchOptions = {},
    batchOptions: RunnableBatchOptions = {},
  ): Promise<(AIMessageChunk | Error)[]> {
    const options = oneSignalEach(given);
    const order = this.optimize === false ? null : orderThatMatters(inputs.map(promptText));
    if (!order) return super.batch(inputs, options, batchOptions);
    const configs = this._getOptionsList(options, inputs.length);
    const most = configs[0]?.maxConcurrency ?? batchOptions.maxConcurrency ?? Number.POSITIVE_INFINITY;
    // LangChain refuses such a limit.
    if (!(most >= 1)) return super.batch(inputs, options, batchOptions);
    return inOrder(
      order,
      async (index) => {
        try {
          return await this.invoke(inputs[index]!, configs[index]);
        } catch (error) {
          if (batchOptions.returnExceptions) return error as Error;
          throw error;
        }
      },
      most,
      workMs,
    );
  }

  /** Removes `/opt` before the cache looks at the messages, and lets one of several equal calls go first. */
  override async generate(
    messages: BaseMessageLike[][],
    options?: string[] | Partial<OptimizedChatOllamaCallOptions>,
    callbacks?: Callbacks,
  ): Promise<LLMResult> {
    const read = Array.isArray(options) ? { stop: options } : options;
    const given = read && oneSignal(read);
    const stripped = messages.map((list) =>
      this.withoutCommands(list.map(coerceMessageLikeToMessage), given),
    );
    const without = stripped.map((list) => list.messages);
    if (!this.cache) return super.generate(without, given, callbacks);
    // One key is for all lists of a call, so each goes by itself.
    if (without.length > 1) return this.generateEach(without, given, callbacks);
    // Once: each reading of a timeout starts a new one.
    const [{ signal, metadata }, keyed] = this._separateRunnableConfigFromCallOptionsCompat(given);
    await this.sender.learnDigest(this.model, signal);
    const marks = {
      [UNSEEN]: unseenHash(without.flat()),
      [UNDECIDED]: stripped.some(({ command }) => !this.sender.isOptimized(given ?? {}, command)),
      [LOOKED_UP]: true,
    };
    const marked = { ...given, ...marks, signal, metadata, timeout: undefined } as typeof given;
    if (!isStreamingCache(this.cache) || without.length !== 1) {
      return super.generate(without, marked, callbacks);
    }
    const llmKey = this._getSerializedCacheKeyParametersForCall({ ...keyed, ...marks });
    const prompt = getBufferString(without[0]!);
    const land = await this.cache.enter(prompt, llmKey, signal).catch((error: unknown) => {
      throw asLangChainError(error, signal, () => undefined);
    });
    try {
      return await super.generate(without, marked, callbacks);
    } finally {
      land(signal?.aborted);
    }
  }

  private async generateEach(
    messages: BaseMessage[][],
    options: Partial<OptimizedChatOllamaCallOptions> | undefined,
    callbacks: Callbacks | undefined,
  ): Promise<LLMResult> {
    const results = await Promise.all(
      messages.map((list, index) =>
        this.generate([list], index > 0 ? { ...options, runId: undefined } : options, callbacks),
      ),
    );
    return { generations: results.flatMap(({ generations }) => generations), llmOutput: {} };
  }

  override _identifyingParams(): Record<string, unknown> {
    return { ...answerParameters(this.invocationParams()), base_url: this.baseUrl };
  }

  /** LangChain's key has every call option and nothing of the model; this one has what can change an answer. */
  override _getSerializedCacheKeyParametersForCall(options: ParsedOptions): string {
    return cacheKey({
      ...answerParameters(this.invocationParams(options)),
      base_url: this.baseUrl,
      // Another model may come to have this name.
      digest: this.sender.facts(this.model)?.digest || undefined,
      output_version: options.outputVersion ?? this.outputVersion,
      unseen: (options as { [UNSEEN]?: string })[UNSEEN],
      undecided: (options as { [UNDECIDED]?: boolean })[UNDECIDED] || undefined,
      _type: this._llmType(),
      _model: this._modelType(),
    });
  }

  /** Tokens of a text as the model counts them. Asks the model's server only; without it, an estimate. */
  override async getNumTokens(content: MessageContent): Promise<number> {
    return (await this.sender.countText(this.model, textOf(content))).tokens;
  }

  /**
   * Tokens of a whole prompt as the model counts it, chat template and tools included, and how sure that is.
   * Loads no model.
   *
   * @example (await model.countTokens([new HumanMessage("Hello")])).tokens
   */
  async countTokens(
    input: BaseLanguageModelInput,
    options: Pick<OptimizedChatOllamaCallOptions, "tools" | "think"> = {},
  ): Promise<{ readonly tokens: number; readonly source: CountSource }> {
    const { messages } = this.withoutCommands(messagesOf(input));
    return this.sender.count(await this.requestOf(messages, options as ParsedOptions));
  }

  /** Learns the model's trained window and abilities now rather than with the first call. */
  async ready(): Promise<void> {
    await Promise.all([this.store.ready(), this.sender.learn(this.model)]);
  }

  /** The true limits of the model, as far as they are known: after {@link ready} or a first call, all of them. */
  override get profile(): ModelProfile {
    return modelProfile(this.sender.facts(this.model), {
      numCtx: this.numCtx,
      numPredict: this.numPredict,
      optimize: this.optimize,
      maximumWindow: this.configuration.maximumWindow,
    });
  }

  private callOf(
    messages: BaseMessage[],
    options: ParsedOptions,
    run: CallbackManagerForLLMRun | undefined,
  ): Call {
    checkOptions(options);
    const { command, messages: without } = this.withoutCommands(messages, options);
    return { messages: convertible(without), given: without, command, options, run };
  }

  private withoutCommands(
    messages: BaseMessage[],
    options: Pick<OptimizedChatOllamaCallOptions, "optimize"> = {},
  ): ReturnType<typeof stripOptCommands> {
    const off = (options.optimize ?? this.optimize) === false;
    return off ? { messages, command: undefined } : stripOptCommands(messages);
  }

  /** The model as one call sees it: its own client, its own `think`. Nothing of the model itself changes. */
  private viewFor(call: Call, answer: Parameters<typeof perCallClient>[1]): this {
    return Object.create(this, {
      client: { value: perCallClient(this.client, answer) },
      think: { value: call.options.think ?? this.think, configurable: true },
    }) as this;
  }

  /** The lines of a stream: of a cache that serves streams, unless `generate` has asked it, else as sent. */
  private async answered(call: Call, send: () => Promise<Lines>): Promise<Lines> {
    const { cache } = this;
    const { options, given } = call;
    if (!isStreamingCache(cache) || LOOKED_UP in options) return send();
    await this.sender.learnDigest(this.model, options.signal);
    const keyed = {
      ...options,
      [UNSEEN]: unseenHash(given),
      [UNDECIDED]: !this.sender.isOptimized(options, call.command),
    };
    return cachedLines({
      cache,
      prompt: getBufferString(given),
      llmKey: this._getSerializedCacheKeyParametersForCall(keyed),
      signal: options.signal,
      send,
      join: (lines) => this.messageOf(call, lines),
    });
  }

  /** The message that `ChatOllama` makes of the lines of a reply. */
  private async messageOf(call: Call, lines: Lines): Promise<AIMessageChunk | undefined> {
    const view = this.viewFor(call, async () => lines);
    const chunks: AIMessageChunk[] = [];
    for await (const { message } of ChatOllama.prototype._streamResponseChunks.call(view, [], call.options)) {
      chunks.push(message as AIMessageChunk);
    }
    return joined(chunks);
  }

  private async send(
    call: Call,
    path: "/api/chat" | "/api/generate",
    request: WireRequest,
  ): Promise<EngineReply> {
    const { options, command, run, messages } = call;
    const body = { ...request, messages: withToolNames(request.messages ?? [], messages) };
    try {
      return await this.sender.send(path, body, options, command, run);
    } catch (error) {
      if (!(error instanceof WindowOverflow) || this.sender.onOverflow(options) !== "trim") throw error;
      const wire = async (some: BaseMessage[]): Promise<readonly WireMessage[] | undefined> =>
        (await this.requestOf(some, options)).messages;
      const reserve = error.needTokens - error.promptTokens;
      const kept = await trimToFit(messages, error.limitTokens - reserve, async (some) => {
        const { tokens } = await this.sender.count({ ...body, messages: await wire(some) });
        return tokens;
      });
      if (!kept) throw error;
      const trimmed = { ...body, messages: await wire(kept) };
      return await this.sender.send(path, trimmed, options, command, run, messages.length - kept.length);
    }
  }

  /** The request that `ChatOllama` would send; nothing is sent. */
  private async requestOf(messages: BaseMessage[], options: ParsedOptions): Promise<WireRequest> {
    let request: WireRequest | undefined;
    const converted = convertible(messages);
    const answer = async (_path: string, body: WireRequest): Promise<Lines> => {
      request = { ...body, messages: withToolNames(body.messages ?? [], converted) };
      return [];
    };
    const view = Object.create(this, {
      client: { value: perCallClient(this.client, answer) },
      checkOrPullModel: { value: false },
    }) as this;
    const stream = ChatOllama.prototype._streamResponseChunks;
    for await (const _ of stream.call(view, converted, options)) {
      // Only its request is wanted.
    }
    return request!;
  }
}

function messagesOf(input: BaseLanguageModelInput): BaseMessage[] {
  checkInput(input);
  if (typeof input === "string") return [new HumanMessage(input)];
  return Array.isArray(input) ? input.map(coerceMessageLikeToMessage) : input.toChatMessages();
}

/** Text for comparison, its beginning; of an input that is none, the call itself will say what is wrong. */
function promptText(input: BaseLanguageModelInput): string {
  let text = "";
  try {
    for (const message of messagesOf(input)) {
      if (text.length >= HEAD_CHARACTERS) break;
      text += `${message.getType()}: ${textOf(message.content).slice(0, HEAD_CHARACTERS)}\n`;
    }
  } catch {
    return "";
  }
  return text;
}

/** Reading the prompt and writing the reply, as the server says; what it waited is not in it. */
function workMs(reply: AIMessageChunk | Error): number {
  if (reply instanceof Error) return 0;
  const { prompt_eval_duration: prompt, eval_duration: output } = reply.response_metadata as WireChunk;
  return ((prompt ?? 0) + (output ?? 0)) / 1e6;
}

function joined(chunks: readonly AIMessageChunk[]): AIMessageChunk | undefined {
  const [first, ...others] = chunks;
  return first && others.reduce((whole, chunk) => whole.concat(chunk), first);
}

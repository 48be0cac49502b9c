/** LangChain's text model Ollama with the window decided before each call. */
import type { CallbackManagerForLLMRun, Callbacks } from "@langchain/core/callbacks/manager";
import type { BaseLanguageModelInput } from "@langchain/core/language_models/base";
import type { MessageContent } from "@langchain/core/messages";
import { GenerationChunk, type LLMResult } from "@langchain/core/outputs";
import type { Runnable, RunnableBatchOptions } from "@langchain/core/runnables";
import type { StreamEvent } from "@langchain/core/tracers/log_stream";
import type { IterableReadableStream } from "@langchain/core/utils/stream";
import { Ollama } from "@langchain/ollama";
import type { WireChunk } from "../backend/wire.js";
import { configuration } from "../optimizer/configuration.js";
import type { OptimizerStore } from "../storage/store.js";
import { storeOf } from "../storage/storeOf.js";
import { answerParameters, cacheKey } from "./cacheKey.js";
import { CallSender } from "./callSender.js";
import { engineOf } from "./engineOf.js";
import { asLangChainError } from "./langChainErrors.js";
import { oneSignal, oneSignalEach } from "./oneSignal.js";
import { type OptCommand, parseOptCommand } from "./optCommand.js";
import {
  checkInput,
  checkOptions,
  type OptimizedOllamaCallOptions,
  type OptimizedOllamaInput,
  type OptimizeMode,
} from "./options.js";
import { linesOf, perCallClient } from "./perCallClient.js";
import { textOf } from "./text.js";
import { TypedOllama } from "./typedOllama.js";
import { VERSION } from "./version.js";

type ParsedOptions = TypedOllama["ParsedCallOptions"];
type EventFilter = Parameters<Runnable["streamEvents"]>[2];

/** Commands that were taken from prompts ahead of the cache, by the text that remained. */
const COMMANDS = Symbol("commands");
/** As of {@link OptimizedChatOllama}: a call that goes out as it is. */
const UNDECIDED = Symbol("undecided");
interface WithCommands {
  readonly [COMMANDS]?: ReadonlyMap<string, OptCommand>;
  readonly [UNDECIDED]?: boolean;
}

/**
 * LangChain's `Ollama` with the decision of {@link OptimizedChatOllama}. The decision is in the `generationInfo` of
 * a generation, which callbacks see. There are no messages to leave out, so `onOverflow: "trim"` is an error here.
 *
 * @example
 * const model = new OptimizedOllama({ model: "qwen3:8b" });
 * await model.invoke("The sky is blue because", { numCtx: 8192 });
 */
export class OptimizedOllama extends TypedOllama {
  /** @internal Names it in LangChain's traces. */
  static override lc_name(): string {
    return "OptimizedOllama";
  }

  /** A store cannot be written into a manifest. */
  override lc_serializable = false;
  readonly store: OptimizerStore;
  readonly optimize: OptimizeMode;
  private readonly sender: CallSender;

  constructor(fields: OptimizedOllamaInput = {}) {
    checkOptions(fields);
    const tuning = configuration(fields.optimizer);
    // What is worth a retry the engine sends again itself; LangChain's six attempts take a minute.
    super({ maxRetries: 0, ...fields });
    this._addVersion("langchain-ollama-optimizer", VERSION);
    this.optimize = fields.optimize ?? true;
    this.store = storeOf(fields.store, fields.logger);
    this.sender = new CallSender(engineOf(this.store, fields.logger), this.client, fields, tuning);
  }

  /** What the user's options make of a request; the decided window is not in it. */
  override invocationParams(options?: ParsedOptions): ReturnType<Ollama["invocationParams"]> {
    const parameters = super.invocationParams(options);
    const { numCtx, numBatch, keepAlive, think } = options ?? {};
    return {
      ...parameters,
      keep_alive: keepAlive ?? parameters.keep_alive,
      think: (think ?? parameters.think) as boolean | undefined,
      options: {
        ...parameters.options,
        num_ctx: numCtx ?? parameters.options.num_ctx,
        num_batch: numBatch ?? parameters.options.num_batch,
      },
    };
  }

  override async invoke(
    input: BaseLanguageModelInput,
    options?: Partial<OptimizedOllamaCallOptions>,
  ): Promise<string> {
    checkInput(input);
    return super.invoke(input, options && oneSignal(options));
  }

  override async stream(
    input: BaseLanguageModelInput,
    options?: Partial<OptimizedOllamaCallOptions>,
  ): Promise<IterableReadableStream<string>> {
    return super.stream(input, options && oneSignal(options));
  }

  /** Like `Ollama`'s; a timeout beside a signal comes on every version of Node. */
  override streamEvents(
    input: BaseLanguageModelInput,
    options: Partial<OptimizedOllamaCallOptions> & { version: "v1" | "v2" },
    streamOptions?: EventFilter,
  ): IterableReadableStream<StreamEvent>;
  override streamEvents(
    input: BaseLanguageModelInput,
    options: Partial<OptimizedOllamaCallOptions> & { version: "v1" | "v2"; encoding: "text/event-stream" },
    streamOptions?: EventFilter,
  ): IterableReadableStream<Uint8Array>;
  override streamEvents(
    input: BaseLanguageModelInput,
    options: Partial<OptimizedOllamaCallOptions> & { version: "v1" | "v2" },
    streamOptions?: EventFilter,
  ): IterableReadableStream<StreamEvent> | IterableReadableStream<Uint8Array> {
    return super.streamEvents(input, oneSignal(options), streamOptions);
  }

  /** Like `Ollama`'s; a timeout beside a signal comes on every version of Node. */
  override async batch(
    inputs: BaseLanguageModelInput[],
    options?: Partial<OptimizedOllamaCallOptions> | Partial<OptimizedOllamaCallOptions>[],
    batchOptions?: RunnableBatchOptions & { returnExceptions?: false },
  ): Promise<string[]>;
  override async batch(
    inputs: BaseLanguageModelInput[],
    options?: Partial<OptimizedOllamaCallOptions> | Partial<OptimizedOllamaCallOptions>[],
    batchOptions?: RunnableBatchOptions,
  ): Promise<(string | Error)[]>;
  override async batch(
    inputs: BaseLanguageModelInput[],
    given: Partial<OptimizedOllamaCallOptions> | Partial<OptimizedOllamaCallOptions>[] = {},
    batchOptions?: RunnableBatchOptions,
  ): Promise<(string | Error)[]> {
    const options = oneSignalEach(given);
    return super.batch(inputs, options, batchOptions);
  }

  /** @internal Called by LangChain. */
  override async *_streamIterator(
    input: BaseLanguageModelInput,
    options?: Partial<OptimizedOllamaCallOptions>,
  ): AsyncGenerator<string> {
    checkInput(input);
    yield* super._streamIterator(input, options);
  }

  /** @internal Called by LangChain. */
  override async *_streamResponseChunks(
    prompt: string,
    options: ParsedOptions,
    runManager?: CallbackManagerForLLMRun,
  ): AsyncGenerator<GenerationChunk> {
    let done: WireChunk | undefined;
    try {
      options.signal?.throwIfAborted();
      checkOptions(options);
      const { command, text } = this.commandOf(prompt, options);
      const client = perCallClient(this.client, async (path, request) => {
        try {
          const reply = await this.sender.send(path, request, options, command, runManager);
          return tapped(linesOf(reply, command?.explain), (line) => {
            done = line;
          });
        } catch (error) {
          throw asLangChainError(error, options.signal, () => undefined);
        }
      });
      const view: this = Object.create(this, {
        client: { value: client },
        think: { value: options.think ?? this.think },
      });
      for await (const chunk of Ollama.prototype._streamResponseChunks.call(
        view,
        text,
        options,
        runManager,
      )) {
        yield done ? withFigures(chunk, done) : chunk;
      }
      options.signal?.throwIfAborted();
    } catch (error) {
      throw asLangChainError(error, options.signal, () => undefined);
    }
  }

  /** LangChain's own keeps the text alone. */
  override async _generate(
    prompts: string[],
    options: ParsedOptions,
    runManager?: CallbackManagerForLLMRun,
  ): Promise<LLMResult> {
    const generations = prompts.map(async (prompt) => {
      let text = "";
      let generationInfo: Record<string, unknown> | undefined;
      for await (const chunk of this._streamResponseChunks(prompt, options, runManager)) {
        text += chunk.text;
        generationInfo = chunk.generationInfo;
      }
      return [{ text, generationInfo }];
    });
    return { generations: await Promise.all(generations) };
  }

  /** Removes `/opt` before the cache looks at the prompts. */
  override async generate(
    prompts: string[],
    options?: string[] | Partial<OptimizedOllamaCallOptions>,
    callbacks?: Callbacks,
  ): Promise<LLMResult> {
    const commands = new Map<string, OptCommand>();
    const read = Array.isArray(options) ? { stop: options } : options;
    const given = read && oneSignal(read);
    const texts = prompts.map((prompt) => {
      const { command, text } = this.commandOf(prompt, given ?? {});
      if (command) commands.set(text, command);
      return text;
    });
    // Once: each reading of a timeout starts a new one.
    const [{ signal, metadata }] = this._separateRunnableConfigFromCallOptionsCompat(given);
    if (this.cache) await this.sender.learnDigest(this.model, signal);
    const isUndecided = texts.some((text) => !this.sender.isOptimized(given ?? {}, commands.get(text)));
    const marks =
      commands.size > 0 || isUndecided ? { [COMMANDS]: commands, [UNDECIDED]: isUndecided } : undefined;
    return super.generate(texts, { ...given, ...marks, signal, metadata, timeout: undefined }, callbacks);
  }

  override _identifyingParams(): Record<string, unknown> {
    return { ...answerParameters(this.invocationParams()), base_url: this.baseUrl };
  }

  /** As of {@link OptimizedChatOllama}: what can change an answer, and nothing else. */
  override _getSerializedCacheKeyParametersForCall(options: ParsedOptions): string {
    return cacheKey({
      ...answerParameters(this.invocationParams(options)),
      base_url: this.baseUrl,
      digest: this.sender.facts(this.model)?.digest || undefined,
      undecided: (options as WithCommands)[UNDECIDED] || undefined,
      _type: this._llmType(),
      _model: this._modelType(),
    });
  }

  /** Tokens of a text as the model counts them. Asks the model's server only; without it, an estimate. */
  override async getNumTokens(content: MessageContent): Promise<number> {
    return (await this.sender.countText(this.model, textOf(content))).tokens;
  }

  private commandOf(
    prompt: string,
    options: Pick<ParsedOptions, "optimize"> & WithCommands,
  ): { text: string; command: OptCommand | undefined } {
    const known = options[COMMANDS]?.get(prompt);
    const off = (options.optimize ?? this.optimize) === false;
    const parsed = off || known ? null : parseOptCommand(prompt);
    return { text: parsed?.text ?? prompt, command: known ?? parsed?.command };
  }
}

async function* tapped(
  lines: AsyncIterable<WireChunk>,
  onDone: (line: WireChunk) => void,
): AsyncGenerator<WireChunk> {
  for await (const line of lines) {
    if (line.done) onDone(line);
    yield line;
  }
}

/** LangChain copies seven figures by name; the rest is the decision, the reason for the end and cached tokens. */
function withFigures(chunk: GenerationChunk, done: WireChunk): GenerationChunk {
  const { context: _, response: __, ...figures } = done as WireChunk & { readonly context?: unknown };
  return new GenerationChunk({ text: chunk.text, generationInfo: { ...chunk.generationInfo, ...figures } });
}

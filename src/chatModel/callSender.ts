/** Sends the calls of one model through the engine of its store. */
import type { CallbackManagerForLLMRun } from "@langchain/core/callbacks/manager";
import { getEnvironmentVariable } from "@langchain/core/utils/env";
import { expectListeners } from "../backend/sharedSignal.js";
import { fetchTransport, type Transport } from "../backend/transport.js";
import type { WireRequest } from "../backend/wire.js";
import { unlessAborted } from "../cache/flights.js";
import type { Engine } from "../engine/engine.js";
import type { EngineCall, EngineReply } from "../engine/types.js";
import { estimateTokens } from "../tokens/index.js";
import type { OptCommand } from "./optCommand.js";
import type { OptimizeMode, OptimizerCallOptions, OptimizerFields } from "./options.js";

/** The slice of the engine that a model needs. */
export type ModelEngine = Pick<
  Engine,
  "send" | "countTokens" | "modelFacts" | "learnModel" | "lookNowAndThen"
>;

/** Call options as LangChain hands them on, with what this package adds. */
export type CallOptions = OptimizerCallOptions & { readonly signal?: AbortSignal };

/** ollama-js keeps the address that it made of `baseUrl` here; nothing else in it is read. */
interface ClientConfig {
  readonly host: string;
  readonly headers?: Headers | Record<string, string>;
}

/** As long as an engine's first call waits for the same. */
const LEARN_MS = 1_000;

type Address = Pick<EngineCall, "origin" | "headers" | "transport">;

export class CallSender {
  private readonly address: Address;

  /**
   * @param client the ollama-js client of the model
   * @param fields the model's fields
   */
  constructor(
    readonly engine: ModelEngine,
    client: object,
    private readonly fields: OptimizerFields & { readonly fetch?: typeof fetch },
    private readonly configuration: EngineCall["configuration"],
  ) {
    this.address = addressOf((client as { readonly config: ClientConfig }).config, fields.fetch);
  }

  /** Whether a call is optimized: as its own option says, else as the instance's. */
  isOptimized(options: CallOptions, command: OptCommand | undefined): boolean {
    const mode: OptimizeMode = options.optimize ?? this.fields.optimize ?? true;
    return mode === "command" ? command !== undefined : mode;
  }

  onOverflow(options: CallOptions): EngineCall["onOverflow"] {
    return options.onOverflow ?? this.fields.onOverflow ?? "error";
  }

  /** Sends one call and tells the run's listeners the decision, as the custom event `optimizer_decision`. */
  async send(
    path: EngineCall["path"],
    body: WireRequest,
    options: CallOptions,
    command: OptCommand | undefined,
    run: CallbackManagerForLLMRun | undefined,
    trimmedMessages?: number,
  ): Promise<EngineReply> {
    expectListeners(options.signal);
    const reply = await this.engine.send({
      ...this.address,
      path,
      body: defined(body),
      signal: options.signal,
      optimize: this.isOptimized(options, command),
      onOverflow: this.onOverflow(options),
      configuration: this.configuration,
      storeText: this.fields.storeText,
      redact: this.fields.redact,
      source: "model",
      runId: run?.runId,
      tags: (run as { readonly tags?: readonly string[] } | undefined)?.tags,
      reserve: command?.reserve,
      templateId: command?.template,
      trimmedMessages,
    });
    if (!run?.handlers.some((handler) => handler.handleCustomEvent)) return reply;
    try {
      await run.handleCustomEvent("optimizer_decision", reply.decision());
    } catch (error) {
      // A handler may forbid the call; nobody reads the reply then, and leaving it stops the server.
      for await (const _ of reply.chunks) break;
      throw error;
    }
    return reply;
  }

  /** Tokens of a prompt as the model counts them. Loads no model. */
  async count(body: WireRequest): ReturnType<Engine["countTokens"]> {
    return this.engine.countTokens({ ...this.address, body: defined(body) });
  }

  /**
   * Tokens of a text alone. Without the model's server, an estimate: its upper bound, one token a byte, would have
   * callers cut four times as much as they must.
   */
  async countText(model: string, text: string): ReturnType<Engine["countTokens"]> {
    const known = this.facts(model) ?? (await this.engine.learnModel(this.address, model).catch(() => null));
    if (known) return this.count({ model, prompt: text, raw: true });
    return { tokens: await estimateTokens(text), source: "estimate" };
  }

  facts(model: string): ReturnType<Engine["modelFacts"]> {
    return this.engine.modelFacts(this.address.origin, model);
  }

  async learn(model: string): Promise<void> {
    await this.engine.learnModel(this.address, model);
  }

  /** Cache keys hold the digest; a server that is away or slow does not keep a cache from answering by the name alone. */
  async learnDigest(model: string, signal: AbortSignal | undefined): Promise<void> {
    expectListeners(signal);
    if (this.facts(model)) return this.engine.lookNowAndThen(this.address.origin);
    const soon = unlessAborted(this.learn(model), AbortSignal.timeout(LEARN_MS));
    // An abort is the call's own to report.
    await unlessAborted(soon, signal).catch(() => {});
  }
}

function addressOf({ host, headers }: ClientConfig, userFetch: typeof fetch | undefined): Address {
  const transport: Transport | undefined = userFetch && fetchTransport(userFetch);
  const given = Object.fromEntries(new Headers(headers));
  // As ollama-js does it for the hosted service.
  const key = new URL(host).origin === "https://ollama.com" && getEnvironmentVariable("OLLAMA_API_KEY");
  return {
    origin: host,
    headers: key && !given.authorization ? { ...given, authorization: `Bearer ${key}` } : given,
    transport,
  };
}

/** A request without the fields that LangChain leaves undefined: what is there counts as set by the user. */
function defined(body: WireRequest): WireRequest {
  const set = (fields: object): object =>
    Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
  return set({ ...body, options: body.options && set(body.options) }) as WireRequest;
}

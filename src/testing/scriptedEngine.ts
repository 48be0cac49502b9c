/**
 * The deterministic engine: replies come from the test, and everything around them (windows, prefix cache,
 * durations, shift) behaves as in Ollama.
 */
import {
  type Engine,
  EngineFailure,
  type GenerateEvent,
  type GenerateRequest,
  type LoadRequest,
  type Runner,
  type ScriptedCall,
  type ScriptedToolCall,
} from "./engine.js";
import { schemaInstance } from "./jsonSchema.js";
import { type PrefixCache, prefixCache } from "./prefixCache.js";
import { embeddingOf } from "./textEmbedding.js";
import { paddedWindow } from "./windows.js";

/** What the model says to one call. All fields are optional; an empty reply says "ok". */
export interface ScriptedReply {
  /** Default: a valid instance when the call has a `format`, "ok" otherwise (nothing when there are tool calls). */
  readonly content?: string;
  /** Sent before the content when the call may think. */
  readonly thinking?: string;
  /** Each is sent in a chunk of its own, as Ollama does. */
  readonly toolCalls?: readonly ScriptedToolCall[];
  /** Pieces of the content, one token and one line each; default the tokens of the content. A generator may wait. */
  readonly chunks?: Iterable<string> | AsyncIterable<string>;
  /** Makes the reply so long: it is cut, or continued with filler. Infinity runs into the limit of ten windows. */
  readonly outputTokens?: number;
  readonly tokensPerSecond?: number;
  /** Waited on the server's clock before the first token and before each further one, in milliseconds. */
  readonly delayMs?: number;
  readonly chunkDelayMs?: number;
  /** Fails after so many tokens of output (default 0: before any, which becomes the status). */
  readonly error?: { readonly message: string; readonly afterTokens?: number; readonly status?: number };
}

/** A reply for everything, or one that depends on the call. */
export interface Script {
  /** What is said; default "ok". */
  readonly reply?:
    | ScriptedReply
    | string
    | ((call: ScriptedCall) => ScriptedReply | string | Promise<ScriptedReply | string>);
}

/**
 * @example
 * const engine = scriptedEngine({ reply: ({ messages }) => ({ content: `You said ${messages.at(-1)?.content}` }) });
 * const server = await startOllamaServer({ engine, models: [{ name: "tiny" }] });
 */
export function scriptedEngine(script: Script = {}): Engine {
  return {
    name: "scripted",
    measures: false,
    load: async (request) => new ScriptedRunner(script, request),
  };
}

class ScriptedRunner implements Runner {
  private readonly cache: PrefixCache;

  constructor(
    private readonly script: Script,
    private readonly loaded: LoadRequest,
  ) {
    // Ollama >= 0.30 keeps evicted prompts in up to 8 GiB of host memory.
    const { generation, model } = loaded;
    this.cache = prefixCache(generation.hostPromptCache ? (8 * 2 ** 30) / model.kvBytesPerToken : 0);
  }

  async *generate(request: GenerateRequest): AsyncGenerator<GenerateEvent, void> {
    const { model, numBatch } = this.loaded;
    const { stopwatch, signal } = request;
    const reply = await this.reply(request.call);
    const slowdown = 1 + 9 * request.spill;
    if (reply.delayMs) await stopwatch.wait(reply.delayMs, signal);
    if (reply.error && !reply.error.afterTokens)
      throw new EngineFailure(reply.error.message, reply.error.status);

    const cachedTokens = this.cache.reuse(request.tokens);
    const promptMs =
      ((request.tokens.length - cachedTokens) / model.promptTokensPerSecond(numBatch)) * 1000 * slowdown;
    await stopwatch.work(promptMs, signal);
    if (signal.aborted) return;
    yield { type: "prompt", cachedTokens, durationMs: promptMs };

    const tokenMs = (1000 / (reply.tokensPerSecond ?? model.tokensPerSecond)) * slowdown;
    const { numCtx, generation } = this.loaded;
    const room = paddedWindow(numCtx, generation) - request.tokens.length;
    // Before 0.30 the last token that fits makes one more, which need not be evaluated.
    const end = generation.pads ? room : room + 1;
    const most = request.shift ? request.limit : Math.min(request.limit, end);
    const produced: number[] = [];
    let count = 0;
    let reason: "stop" | "length" = "stop";
    for await (const part of untilAborted(this.parts(reply, request), signal)) {
      if (count >= most) {
        reason = "length";
        break;
      }
      if (reply.error && count >= (reply.error.afterTokens ?? 0)) {
        throw new EngineFailure(reply.error.message, reply.error.status);
      }
      if (count > 0 && reply.chunkDelayMs) await stopwatch.wait(reply.chunkDelayMs, signal);
      await stopwatch.work(part.tokens * tokenMs, signal);
      if (signal.aborted) break;
      count += part.tokens;
      if (part.content !== undefined) produced.push(...model.tokenizer.encode(part.content));
      yield { type: "output", ...part };
    }
    if (signal.aborted) return this.cache.keep([...request.tokens, ...produced]);
    const shifted = count > room;
    if (shifted) this.cache.clear();
    else this.cache.keep([...request.tokens, ...produced]);
    yield { type: "end", reason, durationMs: count * tokenMs, shifted };
  }

  async embed(texts: readonly (readonly number[])[]): Promise<number[][]> {
    return texts.map((tokens) => embeddingOf(tokens, this.loaded.model.embeddingLength));
  }

  async close(): Promise<void> {}

  private async reply(call: ScriptedCall): Promise<ScriptedReply> {
    const { reply } = this.script;
    const said = typeof reply === "function" ? await reply(call) : (reply ?? {});
    return typeof said === "string" ? { content: said } : said;
  }

  /** The reply token by token. */
  private async *parts(reply: ScriptedReply, request: GenerateRequest): AsyncGenerator<Omit<Output, "type">> {
    const { tokenizer } = this.loaded.model;
    let count = 0;
    const most = reply.outputTokens ?? Number.POSITIVE_INFINITY;
    if (request.call.think && reply.thinking) {
      for (const piece of tokenizer.pieces(reply.thinking)) {
        if (count >= most) return;
        count += piece.tokens;
        yield { tokens: piece.tokens, thinking: piece.text };
      }
    }
    const chunks = reply.chunks ?? untilStop(this.content(reply, request.call), request.stop);
    for await (const chunk of typeof chunks === "string" ? tokenizer.pieces(chunks) : chunks) {
      const piece = typeof chunk === "string" ? { text: chunk, tokens: 1 } : chunk;
      if (count >= most) return;
      count += piece.tokens;
      yield { tokens: piece.tokens, content: piece.text };
    }
    for (const toolCall of reply.toolCalls ?? []) {
      const tokens = Math.max(1, tokenizer.encode(JSON.stringify(toolCall)).length);
      count += tokens;
      yield { tokens, toolCall };
    }
    for (; reply.outputTokens !== undefined && count < most; count++) yield { tokens: 1, content: " and" };
  }

  private content(reply: ScriptedReply, call: ScriptedCall): string {
    if (reply.content !== undefined) return reply.content;
    if (reply.toolCalls?.length) return "";
    return call.format ? JSON.stringify(schemaInstance(call.format)) : "ok";
  }
}

type Output = Extract<GenerateEvent, { type: "output" }>;

/** The items until the signal aborts, even while the next one is waited for. */
async function* untilAborted<T>(items: AsyncGenerator<T>, signal: AbortSignal): AsyncGenerator<T> {
  const aborted = new Promise<"aborted">((resolve) => {
    if (signal.aborted) resolve("aborted");
    signal.addEventListener("abort", () => resolve("aborted"));
  });
  for (;;) {
    const next = await Promise.race([items.next(), aborted]);
    if (next === "aborted" || next.done) return;
    yield next.value;
  }
}

function untilStop(text: string, stop: readonly string[]): string {
  const ends = stop.map((word) => text.indexOf(word)).filter((at) => at >= 0);
  return ends.length > 0 ? text.slice(0, Math.min(...ends)) : text;
}

/**
 * How many tokens a prompt has, as sure as can be known in the time there is: nothing is counted while its bytes
 * fit; else the model's own tokenizer over the rendered chat (exact), over the bare contents (a bound), and until
 * the tokenizer is there, an estimate on the safe side.
 *
 * What was learned of a model's chat template is kept in the store's settings, so that the next process counts
 * exactly from its first call on.
 */

import type { ServerAddress } from "../backend/ollama.js";
import * as ollama from "../backend/ollama.js";
import type { WireMessage, WireRequest } from "../backend/wire.js";
import type { Logger } from "../logger.js";
import type { PromptSize } from "../optimizer/decide.js";
import { type CountSource, type RunnerOptions, SCHEMA_VERSION } from "../records.js";
import type { OptimizerStore } from "../storage/store.js";
import { tokensPerImage } from "../tokens/imageTokens.js";
import { byteBoundOf, ChatLayout, estimateTokens, type TokenizerPool } from "../tokens/index.js";
import type { InstalledModel } from "./serverWatch.js";

/** What a chat template adds to one message, at most: ChatML 5, Llama 3 6, Gemma 5, Mistral 8 tokens. */
const TOKENS_PER_MESSAGE = 16;
/** What it adds to the whole: a default system prompt (Qwen 2.5: 21, SmolLM2: 22), beginnings, the last role. */
const TOKENS_PER_PROMPT = 64;
/** Instructions around a tool list (Llama 3.1: 70, Qwen 3: 130 tokens). */
const TOKENS_PER_TOOL_LIST = 256;
/** Confirmed so often, a constant is compared with every 32nd reply only. */
const CONFIRMATIONS = 4;
const LATER_COMPARISONS = 32;
/** A server that refuses this many probes is asked no more. */
const MOST_REFUSED = 3;
/** Observed tokens over the estimate, until something was observed: Llama 3 on digits 1.0, Qwen 1.76. */
const FIRST_RATIO = 1.8;

/** What was learned of one model, as it is kept. */
interface Learned {
  layout: ChatLayout;
  /** Tokens that the server counts beyond the rendered text (a bos that the keys do not name); null until seen. */
  constant: number | null;
  /** Upper observed ratio of the server's count to the estimate. */
  ratio: number;
  /** Replies compared with the count since the constant last changed. */
  confirmed: number;
  /** Probes that the server refused. */
  refused: number;
  /** A call that another one followed at once, as in an agent: it is learned of in the next pause. */
  missed?: CountedRequest | undefined;
}

type CountedRequest = Pick<
  WireRequest,
  "messages" | "prompt" | "system" | "suffix" | "template" | "context" | "images" | "tools" | "think" | "raw"
>;

/** The messages that a request amounts to: `/api/generate` renders its prompt as a chat of system and user. */
export function messagesOf(request: CountedRequest): readonly WireMessage[] {
  if (request.messages) return request.messages;
  const user: WireMessage = { role: "user", content: request.prompt ?? "", images: request.images };
  return request.system ? [{ role: "system", content: request.system }, user] : [user];
}

/** All of a model that a bound without its tokenizer rests on. */
type ModelCost = Pick<InstalledModel, "tokensPerImage" | "systemBytes" | "messagesBytes">;

export class PromptCounter {
  private readonly learned = new Map<string, Learned>();
  private readonly probing = new Set<string>();

  constructor(
    private readonly pool: TokenizerPool,
    private readonly store: OptimizerStore,
    private readonly logger: Logger,
  ) {}

  /** Tokens that the prompt certainly does not exceed, without a tokenizer: its bytes and the template's share. */
  async upperBound(model: ModelCost | null, request: CountedRequest): Promise<number> {
    return overhead(model, request, messagesOf(request)) + (await byteBoundOf(textsOf(request)));
  }

  /** Begins loading the model's tokenizer; resolves when it is there or cannot be. Never rejects. */
  async prepare(model: InstalledModel, address: ServerAddress): Promise<void> {
    if (!model.digest) return;
    try {
      await this.pool.load(model.digest, () => ollama.showTokenizer(address, model.name));
    } catch (error) {
      this.logger.debug?.(
        `optimizer: counting for "${model.name}" stays an estimate (${String((error as Error).message)})`,
      );
    }
  }

  isPrepared(model: InstalledModel): boolean {
    return this.pool.isReady(model.digest);
  }

  /** An exact count from memory, without waiting; null when something of the prompt was not counted yet. */
  known(model: InstalledModel, request: CountedRequest): PromptSize | null {
    const pieces = this.render(model, request);
    if (pieces === null) return null;
    const tokens = this.pool.countKnown(model.digest, pieces);
    return tokens === null ? null : this.exact(model, tokens);
  }

  /**
   * The best count there is now.
   *
   * @param upperBound what {@link upperBound} said of this request
   */
  async count(model: InstalledModel, request: CountedRequest, upperBound: number): Promise<PromptSize> {
    if (!this.pool.isReady(model.digest)) return this.estimate(model, request, upperBound);
    const pieces = this.render(model, request);
    if (pieces !== null) return this.exact(model, await this.pool.count(model.digest, pieces));
    const messages = messagesOf(request);
    const counts = await Promise.all(textsOf(request).map((text) => this.pool.count(model.digest, text)));
    const tokens = counts.reduce((sum, count) => sum + count, 0) + overhead(model, request, messages);
    return {
      tokens,
      source: hasImages(messages) ? "estimate" : "bound",
      upperBound: Math.min(tokens, upperBound),
    };
  }

  /** Ids of a text in the model's vocabulary; only while {@link isPrepared}. */
  encode(model: InstalledModel, text: string): Promise<Uint32Array> {
    return this.pool.encode(model.digest, text);
  }

  /** Tokens of the texts, roughly and of no model in particular. */
  estimateOf(request: CountedRequest): number {
    return textsOf(request).reduce((sum, text) => sum + estimateTokens(text), 0);
  }

  private estimate(model: InstalledModel, request: CountedRequest, upperBound: number): PromptSize {
    const tokens =
      Math.ceil(this.estimateOf(request) * this.of(model).ratio) +
      overhead(model, request, messagesOf(request));
    return { tokens: Math.min(tokens, upperBound), source: "estimate", upperBound };
  }

  private exact(model: InstalledModel, tokens: number): PromptSize {
    const { constant } = this.of(model);
    // Before the first reply the constant is unknown: a bos at most.
    const whole = tokens + (constant ?? 1);
    const source: CountSource = constant === null ? "bound" : "exact";
    return { tokens: whole, source, upperBound: whole };
  }

  /** The prompt as the engine will get it, in pieces; null when that is not known. */
  private render(model: InstalledModel, request: CountedRequest): Iterable<string> | null {
    if (!this.pool.isReady(model.digest)) return null;
    const messages = messagesOf(request);
    if (hasImages(messages)) return null;
    if (request.raw) return [request.prompt ?? ""];
    // `/api/generate` alone has these, and renders them in its own way.
    if (request.suffix || request.template || request.context?.length) return null;
    return this.of(model).layout.pieces(messages, { tools: request.tools, think: request.think });
  }

  /**
   * Learns from a reply whose count is certainly not a cut's: the constant beyond the rendered text, and the
   * ratio for models whose tokenizer cannot be rebuilt.
   */
  async learn(model: InstalledModel, request: CountedRequest, promptEvalCount: number): Promise<void> {
    if (!model.digest || hasImages(messagesOf(request))) return;
    const learned = this.of(model);
    const rendered = this.render(model, request);
    if (rendered !== null) {
      learned.confirmed++;
      if (learned.confirmed > CONFIRMATIONS && learned.confirmed % LATER_COMPARISONS !== 0) return;
      const difference = promptEvalCount - (await this.pool.count(model.digest, rendered));
      if (Math.abs(difference) <= 2 && difference !== learned.constant) {
        learned.constant = difference;
        learned.confirmed = 0;
        this.save(model, learned);
      }
      return;
    }
    if (this.pool.isReady(model.digest)) return;
    const { tokens } = this.estimate(model, request, Number.POSITIVE_INFINITY);
    const observed = (promptEvalCount / Math.max(1, tokens)) * learned.ratio;
    // Rises at once, falls slowly: the upper observed ratio.
    const ratio = Math.max(1, observed > learned.ratio ? observed : learned.ratio * 0.9 + observed * 0.1);
    if (Math.abs(ratio - learned.ratio) > 0.02) {
      learned.ratio = ratio;
      this.save(model, learned);
    }
  }

  /**
   * Learns the chat template's pieces by rendered probes, with the loaded runner's exact options: other options
   * would reload it. Never rejects.
   *
   * @param idleOptions asked right before each probe; null when the model is not loaded, or busy
   */
  async probe(
    model: InstalledModel,
    address: ServerAddress,
    request: CountedRequest,
    idleOptions: () => Promise<RunnerOptions | null>,
  ): Promise<void> {
    if (!model.digest || request.raw || this.probing.has(model.digest)) return;
    const learned = this.of(model);
    const { layout, missed } = learned;
    const unknown = (missed ? [request, missed] : [request])
      .map((asked) => ({ messages: messagesOf(asked), tools: asked.tools, think: asked.think }))
      .filter((asked) => layout.isLearnable(asked.messages, asked) && !layout.isKnown(asked.messages, asked));
    if (learned.refused >= MOST_REFUSED || unknown.length === 0) return;
    this.probing.add(model.digest);
    let isBusy = false;
    try {
      for (const asked of unknown) {
        await layout.learn(asked.messages, asked, async (messages, tools, think) => {
          const options = await idleOptions();
          isBusy = options === null;
          if (!options) throw new Error("the model is not idle");
          return ollama.renderPrompt(address, { model: model.name, messages, tools, think }, options);
        });
      }
      learned.missed = undefined;
      this.save(model, this.of(model));
    } catch (error) {
      // A program that calls without a pause is not a server that refuses.
      learned.missed = isBusy ? unknown.at(-1) : undefined;
      if (!isBusy) learned.refused++;
      this.logger.debug?.(
        `optimizer: the chat template of "${model.name}" was not learned (${String((error as Error).message)})`,
      );
    } finally {
      this.probing.delete(model.digest);
    }
  }

  private of(model: InstalledModel): Learned {
    const known = this.learned.get(model.digest);
    if (known) return known;
    const kept = this.store.get("settings", settingId(model))?.value as
      | { layout?: unknown; constant?: number | null; ratio?: number }
      | undefined;
    const learned: Learned = {
      layout: ChatLayout.fromJSON(kept?.layout),
      constant: typeof kept?.constant === "number" ? kept.constant : null,
      ratio: typeof kept?.ratio === "number" ? kept.ratio : FIRST_RATIO,
      confirmed: 0,
      refused: 0,
    };
    this.learned.set(model.digest, learned);
    return learned;
  }

  private save(model: InstalledModel, { layout, constant, ratio }: Learned): void {
    const at = new Date().toISOString();
    void this.store.merge("settings", {
      id: settingId(model),
      schemaVersion: SCHEMA_VERSION,
      createdAt: at,
      updatedAt: at,
      value: { layout: layout.toJSON(), constant, ratio },
    });
  }
}

function settingId(model: InstalledModel): string {
  return `chat-layout ${model.digest}`;
}

function overhead(
  model: ModelCost | null,
  request: CountedRequest,
  messages: readonly WireMessage[],
): number {
  if (request.raw) return 2;
  const images = messages.reduce((sum, { images }) => sum + (images?.length ?? 0), 0);
  const hasSystem = messages[0]?.role === "system";
  return (
    TOKENS_PER_PROMPT +
    (hasSystem ? 0 : (model?.systemBytes ?? 0)) +
    (model?.messagesBytes ?? 0) +
    (request.context?.length ?? 0) +
    TOKENS_PER_MESSAGE * messages.length +
    (model?.tokensPerImage ?? tokensPerImage()) * images +
    (request.tools?.length ? TOKENS_PER_TOOL_LIST : 0)
  );
}

/** Everything of a request that is rendered as text. Nothing long is joined. */
function textsOf(request: CountedRequest): readonly string[] {
  const { suffix, template } = request;
  const texts = [...messagesOf(request).flatMap(textsOfMessage), ...[suffix, template].filter(isText)];
  return request.tools?.length ? [...texts, JSON.stringify(request.tools)] : texts;
}

function textsOfMessage({ content, thinking, tool_calls: calls, tool_name: name }: WireMessage): string[] {
  const texts = [content, thinking, calls?.length ? JSON.stringify(calls) : "", name];
  return texts.filter(isText);
}

function isText(text: string | undefined | null): text is string {
  return text !== undefined && text !== null && text !== "";
}

function hasImages(messages: readonly WireMessage[]): boolean {
  return messages.some(({ images }) => (images?.length ?? 0) > 0);
}

/** LangChain's cache: the same call gets the same reply, without the model. */
import { createHash } from "node:crypto";
import { BaseCache } from "@langchain/core/caches";
import type { Generation } from "@langchain/core/outputs";
import { type Logger, silentLogger } from "../logger.js";
import type { CacheEntryInfo } from "./backend.js";
import { EntryCache } from "./entryCache.js";
import type { Land } from "./flights.js";
import { freshGenerations, readReplies, type StoredReplies, storedReplies } from "./generations.js";
import type { CacheOptions, TimeToLive } from "./options.js";
import type { CacheStatistics } from "./statistics.js";
import { keyFacts, keyRefusal, refusalOf } from "./storable.js";
import type { StreamingCache } from "./streamingCache.js";

/** Calls whose reply has not come yet, at most; their duration is what a hit saves. */
const MAX_OPEN = 1_000;
/** Configurations whose keys are remembered. */
const MAX_JUDGED = 100;

/** What a call cost, for {@link ExactCacheOptions.costOf}. */
export interface CallUsage {
  readonly model: string | null;
  readonly inputTokens: number;
  readonly outputTokens: number;
}

export interface ExactCacheOptions extends CacheOptions {
  /** Keeps replies at a temperature above 0 too: then the first one drawn is everybody's. @default false */
  readonly sampled?: boolean;
  /** Price of a call in any currency, for the statistics. */
  readonly costOf?: (usage: CallUsage) => number;
}

/**
 * Remembers replies of chat and text models by everything that can change them. The reply says that it was cached
 * and under which key: `response_metadata.cache`. With `OptimizedChatOllama` streams are served and kept too, and
 * of equal calls at the same time one goes to the server.
 *
 * Not kept are replies that were cut, are empty or hold an unreadable tool call, and those at a temperature above 0
 * unless `sampled` says so. A failing place never fails a call.
 *
 * @example
 * const cache = new ExactCache({ backend: folderBackend("./optimizer"), ttlSeconds: 86_400 });
 * const model = new OptimizedChatOllama({ model: "qwen3:8b", temperature: 0, cache });
 * await model.invoke("Why is the sky blue?");
 * await cache.invalidate("qwen3:8b/*");
 */
export class ExactCache extends BaseCache<Generation[]> implements StreamingCache {
  /** The chat model asks this cache when it streams as well. */
  readonly servesStreams = true as const;
  readonly #entries: EntryCache;
  #ttl: TimeToLive | undefined;
  readonly #logger: Logger;
  readonly #sampled: boolean;
  readonly #costOf: ((usage: CallUsage) => number) | undefined;
  readonly #warned = new Set<string>();
  readonly #judged = new Map<string, Judgement>();
  readonly #openedAt = new Map<string, number>();

  /** @throws {@link OptimizerError} `OPTION_INVALID` */
  constructor(options: ExactCacheOptions = {}, shared?: EntryCache) {
    super();
    this.#entries = shared ?? new EntryCache(options);
    this.#ttl = options.ttlSeconds;
    this.#logger = options.logger ?? silentLogger;
    this.#sampled = options.sampled ?? false;
    this.#costOf = options.costOf;
    this.makeDefaultKeyEncoder(cacheKeyOf);
  }

  override async lookup(prompt: string, llmKey: string): Promise<Generation[] | null> {
    if (!this.accepts(llmKey)) return null;
    const key = this.keyEncoder(prompt, llmKey);
    const hit = await this.#entries.read(key, readReplies);
    if (!hit) {
      this.#open(key);
      return null;
    }
    this.#credit(hit.value, llmKey);
    const storedAt = new Date(hit.storedAt).toISOString();
    return freshGenerations(hit.value, { hit: true, key, storedAt, hits: hit.hits });
  }

  override async update(prompt: string, llmKey: string, generations: Generation[]): Promise<void> {
    const key = this.keyEncoder(prompt, llmKey);
    const tookMs = this.#close(key);
    if (!this.accepts(llmKey) || generations.length === 0) return;
    if (generations.some((generation) => refusalOf(generation) !== null)) return;
    const value = textOf(storedReplies(generations, tookMs));
    if (value !== null) await this.#entries.set(key, value, this.#ttl);
  }

  /** Whether calls with this key are cached at all; says once why they are not. */
  accepts(llmKey: string): boolean {
    const { refusal } = this.#judge(llmKey);
    if (refusal !== null && !this.#warned.has(refusal)) {
      this.#warned.add(refusal);
      this.#logger.warn(`The cache leaves calls alone: ${refusal}.`);
    }
    return refusal === null;
  }

  /** Waits while an equal call is under way. The caller calls what this resolves with when its own has ended. */
  async enter(prompt: string, llmKey: string, signal?: AbortSignal): Promise<Land> {
    if (!this.accepts(llmKey)) return () => {};
    return this.#entries.enter(this.keyEncoder(prompt, llmKey), signal);
  }

  /** The same cache for calls whose replies live longer or shorter. @throws {@link OptimizerError} `OPTION_INVALID` */
  withTtl(ttlSeconds: TimeToLive): ExactCache {
    const options = { ttlSeconds, logger: this.#logger, sampled: this.#sampled, costOf: this.#costOf };
    return new ExactCache(options, this.#entries);
  }

  /** From now on new replies live so long. @throws {@link OptimizerError} `OPTION_INVALID` */
  setTtl(ttlSeconds: TimeToLive): void {
    this.#entries.setTtl(ttlSeconds);
    this.#ttl = undefined;
  }

  /** Removes one entry, those that a pattern means, or all; see {@link EntryCache.invalidate}. */
  invalidate(which?: string | RegExp): Promise<number> {
    return this.#entries.invalidate(which);
  }

  /** Removes what has expired. @returns how many */
  clearExpired(): Promise<number> {
    return this.#entries.clearExpired();
  }

  /** What is known of every entry, least recently used first; hit counts among it. */
  entries(): AsyncIterable<CacheEntryInfo> {
    return this.#entries.entries();
  }

  statistics(): Promise<CacheStatistics> {
    return this.#entries.statistics();
  }

  close(): Promise<void> {
    return this.#entries.close();
  }

  #open(key: string): void {
    this.#openedAt.set(key, performance.now());
    if (this.#openedAt.size > MAX_OPEN) this.#openedAt.delete(this.#openedAt.keys().next().value!);
  }

  #close(key: string): number {
    const openedAt = this.#openedAt.get(key);
    this.#openedAt.delete(key);
    return openedAt === undefined ? 0 : performance.now() - openedAt;
  }

  #credit({ tookMs, inputTokens, outputTokens }: StoredReplies, llmKey: string): void {
    const { tally } = this.#entries;
    tally.timeSavedMs += tookMs;
    try {
      tally.costSaved += this.#costOf?.({ model: this.#judge(llmKey).model, inputTokens, outputTokens }) ?? 0;
    } catch (error) {
      this.#logger.warn(`costOf of the cache failed: ${error instanceof Error ? error.name : "unknown"}.`);
    }
  }

  /** Read once for all calls of one configuration: tools make keys of many kilobytes. */
  #judge(llmKey: string): Judgement {
    const known = this.#judged.get(llmKey);
    if (known) return known;
    const facts = keyFacts(llmKey);
    const judgement = { model: facts.model, refusal: keyRefusal(facts, this.#sampled) };
    if (this.#judged.size >= MAX_JUDGED) this.#judged.clear();
    this.#judged.set(llmKey, judgement);
    return judgement;
  }
}

interface Judgement {
  readonly model: string | null;
  readonly refusal: string | null;
}

/** Ids of tool calls are drawn anew for each reply: with them, no second step of an agent would ever hit. */
const TOOL_CALL_ID = /("type":"tool_call",)"id":"[^"]*"|"id":"[^"]*"(,"type":"tool_call")/g;

/**
 * The model's name and a SHA-256 of prompt and parameters: readable where patterns need it, and no prompt text.
 *
 * @example cacheKeyOf("Human: a", 'model:"tiny"').slice(0, 12) // "tiny/0744b06"
 */
export function cacheKeyOf(prompt: string, llmKey: string): string {
  const text = prompt.includes('"tool_call"') ? prompt.replace(TOOL_CALL_ID, "$1$2") : prompt;
  // With its length in front no part of one can be read as a part of the other.
  const hash = createHash("sha256").update(`${text.length} ${text}${llmKey}`).digest("hex");
  return `${keyFacts(llmKey).model ?? "model"}/${hash}`;
}

function textOf(replies: StoredReplies): string | null {
  try {
    return JSON.stringify(replies);
  } catch {
    // Something in it refers to itself.
    return null;
  }
}

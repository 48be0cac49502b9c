/** What the exact and the semantic cache of replies have in common. */
import { BaseCache } from "@langchain/core/caches";
import type { Generation } from "@langchain/core/outputs";
import { type Logger, silentLogger } from "../logger.js";
import type { CacheEntryInfo } from "./backend.js";
import { EntryCache } from "./entryCache.js";
import type { Land } from "./flights.js";
import { type StoredReplies, storedReplies } from "./generations.js";
import type { CacheOptions, TimeToLive } from "./options.js";
import type { CacheStatistics, CallUsage } from "./statistics.js";
import { type KeyRefusal, keyFacts, keyRefusal, refusalOf } from "./storable.js";
import type { StreamingCache } from "./streamingCache.js";

/** Calls whose reply has not come yet, at most; their duration is what a hit saves. */
const MAX_OPEN = 1_000;
/** Configurations whose keys are remembered. */
const MAX_JUDGED = 100;

export interface ReplyCacheOptions extends CacheOptions {
  /** Keeps replies at a temperature above 0 too: then the first one drawn is everybody's. @default false */
  readonly sampled?: boolean;
  /** Price of a call in any currency, for the statistics. */
  readonly costOf?: (usage: CallUsage) => number;
}

interface Judgement {
  readonly model: string | null;
  readonly refusal: KeyRefusal | null;
}

/**
 * A cache of replies as LangChain's models use one. Not kept are replies that were cut, are empty or hold an
 * unreadable tool call, and those at a temperature above 0 unless `sampled` says so.
 */
export abstract class ReplyCache extends BaseCache<Generation[]> implements StreamingCache {
  readonly servesStreams = true as const;
  protected readonly entryCache: EntryCache;
  protected readonly logger: Logger;
  protected ttlSeconds: TimeToLive | undefined;
  private readonly sampled: boolean;
  private readonly costOf: ((usage: CallUsage) => number) | undefined;
  private readonly warned = new Set<string>();
  private readonly judged = new Map<string, Judgement>();
  private readonly openedAt = new Map<string, number>();

  /** @throws OptimizerError `OPTION_INVALID` */
  constructor(options: ReplyCacheOptions, shared?: EntryCache) {
    super();
    this.entryCache = shared ?? new EntryCache(options);
    this.ttlSeconds = options.ttlSeconds;
    this.logger = options.logger ?? silentLogger;
    this.sampled = options.sampled ?? false;
    this.costOf = options.costOf;
  }

  /** The key of a call's entry. */
  protected abstract keyOf(prompt: string, llmKey: string): string;

  /** Waits while an equal call is under way. The caller calls what this resolves with when its own has ended. */
  async enter(prompt: string, llmKey: string, signal?: AbortSignal): Promise<Land> {
    if (!this.accepts(llmKey)) return () => {};
    return this.entryCache.enter(this.keyOf(prompt, llmKey), signal);
  }

  /** Whether calls with this key are cached at all; says once why they are not. */
  accepts(llmKey: string): boolean {
    const { refusal } = this.judge(llmKey);
    if (refusal !== null && !this.warned.has(refusal.text)) {
      this.warned.add(refusal.text);
      this.logger.warn(`The cache leaves calls alone: ${refusal.text}.`);
    }
    return refusal === null;
  }

  /** The same of a call that looks for its reply: left alone, it is counted. */
  protected admits(llmKey: string): boolean {
    const { refusal } = this.judge(llmKey);
    if (refusal !== null) this.entryCache.tally.skipped[refusal.reason]++;
    return this.accepts(llmKey);
  }

  /** From now on new replies live so long. @throws OptimizerError `OPTION_INVALID` */
  setTtl(ttlSeconds: TimeToLive): void {
    this.entryCache.setTtl(ttlSeconds);
    this.ttlSeconds = undefined;
  }

  /** Removes one entry, those that a pattern means, or all; see {@link EntryCache.invalidate}. */
  invalidate(which?: string | RegExp): Promise<number> {
    return this.entryCache.invalidate(which);
  }

  /** Removes what has expired. @returns how many */
  clearExpired(): Promise<number> {
    return this.entryCache.clearExpired();
  }

  /** What is known of every entry, least recently used first; hit counts among it. */
  entries(): AsyncIterable<CacheEntryInfo> {
    return this.entryCache.entries();
  }

  /** Figures since it was opened, and what is kept now. */
  statistics(): Promise<CacheStatistics> {
    return this.entryCache.statistics();
  }

  /** Writes what waits and releases files and timers. Clients that were passed in stay open. */
  close(): Promise<void> {
    return this.entryCache.close();
  }

  /** The options for another view of the same entries. */
  protected optionsWith(ttlSeconds: TimeToLive): ReplyCacheOptions {
    return { ttlSeconds, logger: this.logger, sampled: this.sampled, costOf: this.costOf };
  }

  /** Notes that a call goes to the model: what it takes is what later hits save. */
  protected open(key: string): null {
    this.openedAt.set(key, performance.now());
    if (this.openedAt.size > MAX_OPEN) this.openedAt.delete(this.openedAt.keys().next().value!);
    return null;
  }

  /** What is to be stored of a call's replies; null when they must not be given again. */
  protected storable(key: string, llmKey: string, generations: readonly Generation[]): StoredReplies | null {
    const openedAt = this.openedAt.get(key) ?? performance.now();
    this.openedAt.delete(key);
    if (!this.accepts(llmKey) || generations.length === 0) return null;
    const refusal = generations.map(refusalOf).find((each) => each !== null);
    if (refusal) {
      this.entryCache.tally.skipped[refusal]++;
      return null;
    }
    return storedReplies(generations, performance.now() - openedAt);
  }

  /** Adds what a hit saved. */
  protected credit({ tookMs, inputTokens, outputTokens }: StoredReplies, llmKey: string): void {
    const { model } = this.judge(llmKey);
    this.entryCache.tally.credit(tookMs, { model, inputTokens, outputTokens }, this.costOf, this.logger);
  }

  /** Read once for all calls of one configuration: tools make keys of many kilobytes. */
  private judge(llmKey: string): Judgement {
    const known = this.judged.get(llmKey);
    if (known) return known;
    const facts = keyFacts(llmKey);
    const judgement = { model: facts.model, refusal: keyRefusal(facts, this.sampled) };
    if (this.judged.size >= MAX_JUDGED) this.judged.clear();
    this.judged.set(llmKey, judgement);
    return judgement;
  }
}

/** JSON; null when something refers to itself. */
export function jsonOf(value: unknown): string | null {
  try {
    return JSON.stringify(value);
  } catch {
    return null;
  }
}

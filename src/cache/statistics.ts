/** What a cache has done since it was made. */
import type { Logger } from "../logger.js";

/**
 * Why a reply was not kept: its temperature is above 0; it, or its prompt, was cut; it is empty; or else it failed,
 * holds an unreadable tool call, is larger than the cache, or its call does not name the model.
 */
export type SkipReason = "sampled" | "cut" | "empty" | "other";

/** Figures since it was made. */
export interface CacheStatistics {
  /** Entries at present, expired ones that nobody asked for included. */
  readonly size: number;
  readonly maxSize: number;
  readonly bytes: number;
  readonly maxBytes: number;
  readonly hits: number;
  readonly misses: number;
  /** 0..1; 0 before the first look. */
  readonly hitRate: number;
  /** At present; null: for ever. */
  readonly ttlSeconds: number | null;
  /** Calls that were answered from the cache or from an equal call under way. */
  readonly requestsSaved: number;
  /** What those calls took when they were made. */
  readonly timeSavedMs: number;
  /** What they cost, by the price that was given; 0 without one. */
  readonly costSaved: number;
  /** Entries that went to make room. */
  readonly evictions: number;
  /**
   * Calls whose reply the cache would not keep. Those at a temperature above 0 were not looked for either, the others
   * are among the misses.
   */
  readonly skipped: Readonly<Record<SkipReason, number>>;
  /** Times that the place failed; the call went on without it. */
  readonly failures: number;
}

/** The tokens of a call, for `costOf` of a cache of replies. */
export interface CallUsage {
  readonly model: string | null;
  readonly inputTokens: number;
  readonly outputTokens: number;
}

/** The counters behind {@link CacheStatistics}. */
export class Tally {
  hits = 0;
  misses = 0;
  timeSavedMs = 0;
  costSaved = 0;
  evictions = 0;
  readonly skipped: Record<SkipReason, number> = { sampled: 0, cut: 0, empty: 0, other: 0 };

  /** Adds what a hit saved: the time of its call, and what that call cost. */
  credit(
    tookMs: number,
    usage: CallUsage,
    costOf: ((usage: CallUsage) => number) | undefined,
    logger: Logger,
  ): void {
    this.timeSavedMs += tookMs;
    try {
      this.costSaved += costOf?.(usage) ?? 0;
    } catch (error) {
      logger.warn(`costOf of the cache failed: ${error instanceof Error ? error.name : "unknown"}.`);
    }
  }

  get hitRate(): number {
    const looks = this.hits + this.misses;
    return looks === 0 ? 0 : this.hits / looks;
  }
}

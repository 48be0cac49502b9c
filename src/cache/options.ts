/** What a person may set on a cache, and the check of it. */
import { OptimizerError } from "../errors.js";
import type { Logger } from "../logger.js";
import type { CacheBackend } from "./backend.js";

/** Seconds; null is for ever; "learned" follows how long entries wait for their next use. */
export type TimeToLive = number | null | "learned";

/** Options that every cache has. */
export interface CacheOptions {
  /** Where entries lie. Default: this process's memory. */
  readonly backend?: CacheBackend;
  /** How long an entry is served, counted from when it was stored. @default 3600 */
  readonly ttlSeconds?: TimeToLive;
  /** When there are more, the least recently used go until a tenth is free. @default 1000 */
  readonly maxEntries?: number;
  /** The same for the bytes of keys and values. @default 64 MiB */
  readonly maxBytes?: number;
  /** Hears warnings; the library prints nothing. */
  readonly logger?: Logger;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

export const DEFAULT_TTL_SECONDS = 3600;
export const DEFAULT_MAX_ENTRIES = 1000;
export const DEFAULT_MAX_BYTES: number = 64 * 1024 * 1024;

/**
 * Refuses what would make a cache that keeps nothing, or everything, by mistake.
 *
 * @throws OptimizerError `OPTION_INVALID`
 * @example checkCacheOptions({ ttlSeconds: null, maxEntries: 5 }) // undefined
 */
export function checkCacheOptions({ ttlSeconds, maxEntries, maxBytes }: CacheOptions): void {
  checkTtl(ttlSeconds);
  checkCount("maxEntries", maxEntries);
  checkCount("maxBytes", maxBytes);
}

/** @throws OptimizerError `OPTION_INVALID` */
export function checkTtl(ttlSeconds: unknown): void {
  if (ttlSeconds === undefined || ttlSeconds === null || ttlSeconds === "learned") return;
  if (typeof ttlSeconds === "number" && ttlSeconds > 0 && Number.isFinite(ttlSeconds)) return;
  throw invalid("ttlSeconds", ttlSeconds, 'Give seconds above 0, null for ever, or "learned".');
}

function checkCount(name: string, value: unknown): void {
  if (value === undefined || (Number.isSafeInteger(value) && (value as number) > 0)) return;
  throw invalid(name, value, "Give a whole number above 0.");
}

function invalid(name: string, value: unknown, remedy: string): OptimizerError {
  const shown = typeof value === "string" ? JSON.stringify(value.slice(0, 40)) : String(value);
  return new OptimizerError({ code: "OPTION_INVALID", message: `${name} is ${shown}`, remedy });
}

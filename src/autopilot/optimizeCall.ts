/** Cache and monitor around any function, LangChain's or not. */
import { randomUUID } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import type { EntryCache } from "../cache/entryCache.js";
import { OptimizerError } from "../errors.js";
import type { Monitor } from "../monitor/index.js";
import { OBSERVED_CALL, type RequestRecord } from "../records.js";
import type { Gate } from "./gate.js";

/** What the calls of a function go through. */
export interface OptimizeCallParts {
  /** Remembers results; without one every call runs. */
  readonly cache?: Pick<EntryCache, "read" | "set" | "enter">;
  /** Counts calls, times and errors, under the call's name as model. */
  readonly monitor?: Pick<Monitor, "record">;
  /** Limits how many run at once. */
  readonly gate?: Gate;
}

/** How one function's calls are optimized. */
export interface OptimizeCallOptions {
  /** Under which the monitor tells of it. Default: the function's name. */
  readonly name?: string;
  /** How long the result is remembered; null: for ever. Default: as the cache does. */
  readonly ttlSeconds?: number | null;
  /** Ends waiting for an equal call or for a place at the gate. */
  readonly signal?: AbortSignal;
}

/** A function around functions: see {@link optimizeCalls}. */
export type OptimizeCall = <T>(
  key: string,
  fn: () => T | Promise<T>,
  options?: OptimizeCallOptions,
) => Promise<T>;

/**
 * Makes `optimizeCall(key, fn)`: the result of an earlier call with this key, or the function's own, which is then
 * remembered. Equal calls at the same time run the function once. Each hit is a fresh copy. Remembered is what JSON
 * gives back unchanged (no dates, classes or functions); errors never are.
 *
 * In the cache the key is `call/` and the key, so that `cache.invalidate("call/weather/*")` forgets a group.
 *
 * @example
 * const optimizeCall = optimizeCalls({ cache: new EntryCache(), monitor });
 * const forecast = await optimizeCall(`weather/${city}`, () => fetchForecast(city), { ttlSeconds: 600 });
 */
export function optimizeCalls({ cache, monitor, gate }: OptimizeCallParts): OptimizeCall {
  return async (key, fn, options = {}) => {
    const { name = fn.name || "function", ttlSeconds, signal } = options;
    const watched = () => measured(name, monitor, fn);
    const work = (): ReturnType<typeof watched> => (gate ? gate.run(watched, signal) : watched());
    if (!cache) return work();
    const id = `call/${key}`;
    const land = await cache.enter(id, signal);
    try {
      // What lies damaged there is a miss.
      const hit = await cache.read(id, (text) => ({ value: JSON.parse(text) }));
      if (hit) return hit.value.value;
      const result = await work();
      const text = textOf(result);
      if (text !== null) await cache.set(id, text, ttlSeconds);
      return result;
    } finally {
      land(signal?.aborted);
    }
  };
}

async function measured<T>(
  name: string,
  monitor: OptimizeCallParts["monitor"],
  fn: () => T | Promise<T>,
): Promise<T> {
  const at = new Date();
  const started = performance.now();
  let error: string | null = null;
  try {
    return await fn();
  } catch (thrown) {
    error = codeOf(thrown);
    throw thrown;
  } finally {
    monitor?.record(record(name, at, performance.now() - started, error));
  }
}

function record(model: string, at: Date, totalMs: number, error: string | null): RequestRecord {
  return { ...OBSERVED_CALL, id: randomUUID(), at: at.toISOString(), serverId: "", model, totalMs, error };
}

/** null for what a copy would not be the same as. */
function textOf(value: unknown): string | null {
  try {
    const text = JSON.stringify(value);
    return text !== undefined && isDeepStrictEqual(JSON.parse(text), value) ? text : null;
  } catch {
    return null;
  }
}

/** A code, never an error's text: it may quote what the function was called with. */
function codeOf(error: unknown): string {
  if (OptimizerError.isInstance(error)) return error.code;
  return error instanceof Error ? error.name : typeof error;
}

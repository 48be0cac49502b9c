/** A store that lives as long as its process: for tests, for `store: false`, and where nothing can be written. */
import { type RequestRecord, SCHEMA_VERSION } from "../records.js";
import type { Backend } from "./backend.js";
import { QueuedStore, type StoreOptions } from "./queuedStore.js";
import { matcherOf } from "./requestQuery.js";
import type { OptimizerStore } from "./store.js";
import { checkStoreOptions } from "./storeOptions.js";

export interface MemoryStoreOptions extends StoreOptions {
  /** Requests kept, the newest. Default 10,000. */
  readonly maxRequests?: number;
}

/**
 * Keeps everything in memory.
 *
 * @throws OptimizerError `OPTION_INVALID`
 * @example
 * const store = memoryStore();
 * await store.merge("settings", { id: "greeting", value: "hello" });
 * store.get("settings", "greeting")?.value // "hello"
 */
export function memoryStore(options: MemoryStoreOptions = {}): OptimizerStore {
  checkStoreOptions(options);
  return new QueuedStore(memoryBackend(options.maxRequests ?? 10_000), options);
}

function memoryBackend(maxRequests: number): Backend {
  const kept: RequestRecord[] = [];
  return {
    location: "memory",
    abilities: { durable: false, sharedByProcesses: false, sharedByMachines: false },
    schemaVersion: SCHEMA_VERSION,
    patienceMs: 0,
    load: async () => {},
    commit: async (operations, memory) => {
      for (const { kind, operation, sequence } of operations) memory.apply(kind, operation, sequence);
      return { stored: operations.length };
    },
    poll: async () => {},
    append: async (requests) => {
      kept.push(...requests.map(({ request }) => request));
      kept.splice(0, kept.length - maxRequests);
      return { stored: requests.length };
    },
    requests: async function* (query) {
      const snapshot = query.newestFirst ? kept.toReversed() : [...kept];
      let left = query.limit ?? Number.POSITIVE_INFINITY;
      const isAsked = matcherOf(query);
      for (const request of snapshot) {
        if (left <= 0) return;
        if (!isAsked(request)) continue;
        left--;
        yield request;
      }
    },
    close: async () => {},
  };
}

import type { RequestRecord } from "../../src/records.js";
import type { OptimizerStore } from "../../src/storage/store.js";

export function memoryStore(): OptimizerStore {
  const documents = new Map<string, Record<string, unknown>>();
  const requests: RequestRecord[] = [];
  const store = {
    location: "memory",
    abilities: { durable: false, sharedByProcesses: false, sharedByMachines: false },
    ready: async () => {},
    get: (kind: string, id: string) => documents.get(`${kind} ${id}`),
    *list(kind: string) {
      for (const [key, value] of documents) if (key.startsWith(`${kind} `)) yield value;
    },
    merge: async (kind: string, change: { id: string; counts?: Record<string, unknown> }) => {
      const key = `${kind} ${change.id}`;
      const before = documents.get(key) ?? {};
      documents.set(key, { ...before, ...change, counts: added(before.counts, change.counts) });
    },
    remove: async (kind: string, id: string) => void documents.delete(`${kind} ${id}`),
    append: async (request: RequestRecord) => void requests.push(request),
    async *requests() {
      yield* requests;
    },
    subscribe: () => () => {},
    flush: async () => {},
    close: async () => {},
  };
  return store as unknown as OptimizerStore;
}

function added(a: unknown, b: unknown): unknown {
  if (b === undefined) return a ?? {};
  if (typeof b === "number") return (typeof a === "number" ? a : 0) + b;
  if (Array.isArray(b)) return b.map((value, i) => value + ((a as number[] | undefined)?.[i] ?? 0));
  const result: Record<string, unknown> = { ...(a as object) };
  for (const [key, value] of Object.entries(b as object)) result[key] = added(result[key], value);
  return result;
}

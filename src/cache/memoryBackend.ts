/** Cached values in this process. */
import { type CacheBackend, type CacheEntry, entryBytes } from "./backend.js";

/**
 * Keeps cached values in memory: the fastest place, gone with the process.
 *
 * @example memoryBackend().location // "memory"
 */
export function memoryBackend(): CacheBackend {
  // A Map keeps the order of insertion: what is used is moved to its end.
  const byKey = new Map<string, CacheEntry>();
  let bytes = 0;
  const remove = (key: string): boolean => {
    bytes -= byKey.get(key)?.bytes ?? 0;
    return byKey.delete(key);
  };
  return {
    location: "memory",
    get: (key) => byKey.get(key),
    set({ key, value, storedAt, expiresAt }) {
      remove(key);
      const entry = { key, value, storedAt, expiresAt, usedAt: storedAt, hits: 0 };
      byKey.set(key, { ...entry, bytes: entryBytes(key, value) });
      bytes += byKey.get(key)!.bytes;
    },
    touch(key, usedAt, expiresAt) {
      const entry = byKey.get(key);
      if (!entry) return;
      byKey.delete(key);
      byKey.set(key, { ...entry, usedAt, expiresAt, hits: entry.hits + 1 });
    },
    delete: (keys) => keys.filter(remove).length,
    async *entries() {
      for (const { value: _, ...info } of [...byKey.values()]) yield info;
    },
    size: () => ({ entries: byKey.size, bytes }),
    async close() {
      byKey.clear();
      bytes = 0;
    },
  };
}

/** Exact caches: `langchain-ollama-optimizer/cache`. */
export type { CacheBackend, CacheEntry, CacheEntryInfo, NewEntry } from "./backend.js";
export { type CacheHit, EntryCache } from "./entryCache.js";
export { ExactCache } from "./exactCache.js";
export { type FolderBackendOptions, folderBackend } from "./folder/folderBackend.js";
export type { CachedMark } from "./generations.js";
export { memoryBackend } from "./memoryBackend.js";
export type { CacheOptions, TimeToLive } from "./options.js";
export { type PostgresBackendOptions, postgresBackend } from "./postgresBackend.js";
export { type RedisBackendOptions, redisBackend } from "./redisBackend.js";
export type { ReplyCacheOptions } from "./replyCache.js";
export type { CacheStatistics, CallUsage, SkipReason } from "./statistics.js";

/** The cache of replies that `serve` keeps. */
import { isAbsolute } from "node:path";
import {
  type CacheBackend,
  folderBackend,
  memoryBackend,
  postgresBackend,
  type ReplyCacheOptions,
  redisBackend,
} from "../cache/index.js";
import { OptimizerError } from "../errors.js";
import type { ServeOptions } from "./serveOptions.js";
import { postgresClient, redisClient } from "./serverClients.js";

export interface OpenedCache {
  readonly options: ReplyCacheOptions;
  /** Writes what waits, and ends the client of a server. */
  close(): Promise<void>;
}

/**
 * The cache that the options name; null for none. A server that is away is no failure: calls go on without it.
 *
 * @param location of the store
 * @param prefix of the keys or tables on a server
 * @throws OptimizerError `OPTION_INVALID`, `CLIENT_MISSING`, and what `folderBackend` throws
 */
export async function openCache(
  options: ServeOptions,
  location: string,
  prefix?: string,
): Promise<OpenedCache | null> {
  const { cache, cacheTtl, cacheEntries, cacheSize, cacheSampled } = options;
  if (cache === "off") return null;
  const { backend, end } = await placeOf(cache, prefix, location);
  return {
    options: {
      backend,
      ttlSeconds: cacheTtl === "forever" ? null : cacheTtl,
      maxEntries: cacheEntries,
      maxBytes: cacheSize * 2 ** 20,
      sampled: cacheSampled,
    },
    close: () => backend.close().finally(end),
  };
}

interface Place {
  readonly backend: CacheBackend;
  readonly end?: () => Promise<unknown>;
}

async function placeOf(cache: string, prefix: string | undefined, location: string): Promise<Place> {
  if (cache === "memory") return { backend: memoryBackend() };
  if (cache === "folder") return { backend: folderBackend(folderOf(location)) };
  if (cache.startsWith("redis")) {
    const { client, end } = await redisClient(cache);
    return { backend: redisBackend(client, { prefix }), end };
  }
  const { client, end } = await postgresClient(cache);
  return { backend: postgresBackend(client, { prefix }), end };
}

function folderOf(location: string): string {
  if (isAbsolute(location)) return location;
  throw new OptimizerError({
    code: "OPTION_INVALID",
    message: `cache is "folder", and the store (${location}) is none`,
    remedy: "Name a folder as the store, or give memory or the address of a server as the cache.",
  });
}

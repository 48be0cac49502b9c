/** Cached values in Redis, for several machines. */

import { type RedisClient, runScript, sendCommand } from "../storage/redis/redisClient.js";
import { callServer } from "../storage/serverCall.js";
import { type CacheBackend, type CacheEntry, type CacheEntryInfo, entryBytes } from "./backend.js";

/** Where entries lie. */
export interface RedisBackendOptions {
  /** Begins every key; in a cluster it needs a hash tag, e.g. "{team}:". @default "optimizer:" */
  readonly prefix?: string;
}

/*
 * Below the prefix and "cache:": `use` (sorted set: key by last use), `bytes` (hash: by key), `total`
 * (their sum), `e:<key>` (hash: value v, stored s, expires x, used u, hits h). KEYS[1] is the prefix with "cache:".
 * Redis itself removes entries a day after they expired: the cache learns from those that are asked for again.
 */
const DAY_MS = 86_400_000;

/** ARGV: key, value, storedAt, expiresAt or "", bytes. */
const SET = `
local p, key = KEYS[1], ARGV[1]
local old = tonumber(redis.call('HGET', p .. 'bytes', key) or 0)
redis.call('HSET', p .. 'e:' .. key, 'v', ARGV[2], 's', ARGV[3], 'x', ARGV[4], 'u', ARGV[3], 'h', 0)
if ARGV[4] == '' then redis.call('PERSIST', p .. 'e:' .. key)
else redis.call('PEXPIREAT', p .. 'e:' .. key, string.format('%.0f', tonumber(ARGV[4]) + ${DAY_MS})) end
redis.call('ZADD', p .. 'use', ARGV[3], key)
redis.call('HSET', p .. 'bytes', key, ARGV[5])
redis.call('INCRBY', p .. 'total', tonumber(ARGV[5]) - old)
`;

/** ARGV: key, usedAt, expiresAt or "". */
const TOUCH = `
local p, key = KEYS[1], ARGV[1]
if redis.call('EXISTS', p .. 'e:' .. key) == 0 then return end
redis.call('HSET', p .. 'e:' .. key, 'u', ARGV[2], 'x', ARGV[3])
redis.call('HINCRBY', p .. 'e:' .. key, 'h', 1)
if ARGV[3] ~= '' then redis.call('PEXPIREAT', p .. 'e:' .. key, string.format('%.0f', tonumber(ARGV[3]) + ${DAY_MS})) end
redis.call('ZADD', p .. 'use', ARGV[2], key)
`;

/** ARGV: keys. Returns how many there were. */
const DELETE = `
local p, removed = KEYS[1], 0
for _, key in ipairs(ARGV) do
  removed = removed + redis.call('DEL', p .. 'e:' .. key)
  redis.call('ZREM', p .. 'use', key)
  local bytes = redis.call('HGET', p .. 'bytes', key)
  if bytes then
    redis.call('HDEL', p .. 'bytes', key)
    redis.call('DECRBY', p .. 'total', bytes)
  end
end
return removed
`;

/** ARGV: keys. Returns key, stored, expires, used, hits, bytes of each; "" for what has gone. */
const LIST = `
local p, found = KEYS[1], {}
for _, key in ipairs(ARGV) do
  local e = redis.call('HMGET', p .. 'e:' .. key, 's', 'x', 'u', 'h')
  table.insert(found, key)
  for i = 1, 4 do table.insert(found, e[i] or '') end
  table.insert(found, redis.call('HGET', p .. 'bytes', key) or '0')
end
return found
`;

const FIELDS = 6;
const PAGE = 500;

/**
 * Keeps cached values in a Redis of the user's, version 6 or newer. The client stays open.
 *
 * @example
 * const cache = new ExactCache({ backend: redisBackend(new Redis(url), { prefix: "team:" }) });
 */
export function redisBackend(client: RedisClient, options: RedisBackendOptions = {}): CacheBackend {
  const prefix = `${options.prefix ?? "optimizer:"}cache:`;
  const location = `Redis "${prefix}*"`;
  const command = (...words: string[]) => callServer(location, () => sendCommand(client, words));
  const script = (code: string, ...words: string[]) =>
    callServer(location, () => runScript(client, code, prefix, words));
  const remove = async (keys: readonly string[]): Promise<number> => {
    let removed = 0;
    for (let start = 0; start < keys.length; start += PAGE) {
      removed += Number(await script(DELETE, ...keys.slice(start, start + PAGE)));
    }
    return removed;
  };
  return {
    location,
    async get(key) {
      const names = ["v", "s", "x", "u", "h"];
      const found = (await command("HMGET", `${prefix}e:${key}`, ...names)) as (string | null)[];
      const [value, storedAt, expiresAt, usedAt, hits] = found;
      if (typeof value !== "string") return undefined;
      const info = infoOf(key, storedAt, expiresAt, usedAt, hits, entryBytes(key, value));
      return { ...info, value } satisfies CacheEntry;
    },
    async set({ key, value, storedAt, expiresAt }) {
      const bytes = String(entryBytes(key, value));
      await script(SET, key, value, String(storedAt), String(expiresAt ?? ""), bytes);
    },
    async touch(key, usedAt, expiresAt) {
      await script(TOUCH, key, String(usedAt), String(expiresAt ?? ""));
    },
    delete: remove,
    async *entries() {
      // All keys at once: pages by rank would miss what a hit on another entry shifts.
      const keys = (await command("ZRANGE", `${prefix}use`, "0", "-1")) as string[];
      const infos: CacheEntryInfo[] = [];
      const gone: string[] = [];
      for (let first = 0; first < keys.length; first += PAGE) {
        const page = (await script(LIST, ...keys.slice(first, first + PAGE))) as string[];
        for (let at = 0; at < page.length; at += FIELDS) {
          const [key = "", storedAt, expiresAt, usedAt, hits, bytes] = page.slice(at, at + FIELDS);
          if (storedAt === "") gone.push(key);
          else infos.push(infoOf(key, storedAt, expiresAt, usedAt, hits, Number(bytes)));
        }
      }
      await remove(gone);
      yield* infos;
    },
    async size() {
      const [entries, bytes] = await Promise.all([
        command("ZCARD", `${prefix}use`),
        command("GET", `${prefix}total`),
      ]);
      return { entries: Number(entries), bytes: Number(bytes ?? 0) };
    },
    async close() {},
  };
}

type Field = string | null | undefined;

function infoOf(
  key: string,
  storedAt: Field,
  expiresAt: Field,
  usedAt: Field,
  hits: Field,
  bytes: number,
): CacheEntryInfo {
  return {
    key,
    storedAt: Number(storedAt ?? Number.NaN),
    expiresAt: expiresAt ? Number(expiresAt) : null,
    usedAt: Number(usedAt ?? Number.NaN),
    hits: Number(hits ?? 0),
    bytes,
  };
}

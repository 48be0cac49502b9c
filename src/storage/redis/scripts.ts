/**
 * What runs inside Redis, so that each step is atomic. Under the store's prefix `meta` (hash: schemaVersion, born,
 * migrating: until when, in seconds), and under `v<schemaVersion>:` after it: `version` (counter), `changes` (sorted set: "kind id" by the version of its last
 * change), `removed` (sorted set: the same by time of removal), `doc:<kind> <id>` (hash), `writer:<id>` (last
 * operation of a process), `requests` (hash: JSON by id), `requestTimes` (sorted set: id by start in milliseconds).
 *
 * KEYS[1] is `meta`; ARGV[1] is what a version's keys have after the store's prefix. In a cluster the prefix needs a
 * hash tag, e.g. "{opt}:".
 */
import { MIGRATED } from "../serverCall.js";

/** Of the key as it arrives: ioredis puts a client's `keyPrefix` before it, and that keeps stores apart too. */
const PREFIX = `local p = string.sub(KEYS[1], 1, -string.len('meta') - 1) .. ARGV[1]`;

/** Tells one store from another at the same place. */
const BORN = `
local function born() return table.concat(redis.call('TIME'), '.') end
`;

/** Refuses to write when the store has another version by now; a migration itself passes "". */
const CHECK = `${BORN}
local function isMigrated(version)
  if version == '' then return false end
  local found, until_ = unpack(redis.call('HMGET', KEYS[1], 'schemaVersion', 'migrating'))
  -- A server that came back empty holds a new store.
  if not found then
    redis.call('HSET', KEYS[1], 'schemaVersion', version, 'born', born())
    return false
  end
  return found ~= version or (until_ and tonumber(until_) > tonumber(redis.call('TIME')[1]))
end
`;

/**
 * ARGV: "", wanted version, seconds. Notes the version when none is, reserves the migration when an older one is.
 * Returns the version noted, or "busy".
 */
export const BEGIN: string = `${BORN}
redis.call('HSETNX', KEYS[1], 'schemaVersion', ARGV[2])
redis.call('HSETNX', KEYS[1], 'born', born())
local found, until_ = unpack(redis.call('HMGET', KEYS[1], 'schemaVersion', 'migrating'))
if tonumber(found) >= tonumber(ARGV[2]) then return found end
local now = tonumber(redis.call('TIME')[1])
if until_ and tonumber(until_) > now then return 'busy' end
redis.call('HSET', KEYS[1], 'migrating', now + tonumber(ARGV[3]))
return found
`;

/** ARGV: part of the version to remove. Removes up to 1,000 documents; returns how many, 0 when all is gone. */
export const DROP: string = `
${PREFIX}
local members = redis.call('ZRANGE', p .. 'changes', 0, 999)
for _, member in ipairs(members) do redis.call('DEL', p .. 'doc:' .. member) end
if #members > 0 then redis.call('ZREM', p .. 'changes', unpack(members)) end
if #members == 0 then
  for _, name in ipairs({ 'version', 'removed', 'requests', 'requestTimes' }) do redis.call('UNLINK', p .. name) end
end
return #members
`;

/** A document as a flat list, empty when there is none. */
const READ = `
local function read(p, member)
  return redis.call('HGETALL', p .. 'doc:' .. member)
end
`;

/** ARGV: part, version, writer, operations as JSON. Returns [member, document] for each document touched. */
export const APPLY: string = `${CHECK}${READ}
if isMigrated(ARGV[2]) then return redis.error_reply('${MIGRATED}') end
${PREFIX}
local writer = ARGV[3]
local operations = cjson.decode(ARGV[4])
local last = tonumber(redis.call('GET', p .. 'writer:' .. writer) or '0')

local function sum(left, right)
  local l, r = string.sub(left, 1, 1) == '[', string.sub(right, 1, 1) == '['
  if left == '{}' or right == '{}' or l ~= r then return left end
  if not l then return string.format('%.17g', tonumber(left) + tonumber(right)) end
  local a, b, out = cjson.decode(left), cjson.decode(right), {}
  for i = 1, math.max(#a, #b) do out[i] = string.format('%.17g', (a[i] or 0) + (b[i] or 0)) end
  return '[' .. table.concat(out, ',') .. ']'
end

local function touch(member)
  redis.call('ZADD', p .. 'changes', redis.call('INCR', p .. 'version'), member)
end

local function merge(key, member, op)
  local old = redis.call('HGET', key, 'updatedAt')
  if not old and not op.createdAt then return end
  if old and op.type == 'create' then return end
  local isLater = not old or op.updatedAt >= old
  if isLater then redis.call('HSET', key, 'updatedAt', op.updatedAt, 'schemaVersion', op.schemaVersion) end
  local created = redis.call('HGET', key, 'createdAt')
  if op.createdAt and (not created or op.createdAt < created) then redis.call('HSET', key, 'createdAt', op.createdAt) end
  for name, text in pairs(op.fields) do
    if isLater then redis.call('HSET', key, 'f:' .. name, text) else redis.call('HSETNX', key, 'f:' .. name, text) end
  end
  for path, value in pairs(op.counts) do
    local present = redis.call('HGET', key, 'c:' .. path)
    redis.call('HSET', key, 'c:' .. path, present and sum(present, value) or value)
  end
  redis.call('ZREM', p .. 'removed', member)
  touch(member)
end

for _, op in ipairs(operations) do
  if op.sequence > last then
    last = op.sequence
    local key = p .. 'doc:' .. op.member
    if op.type ~= 'remove' then
      merge(key, op.member, op)
    elseif redis.call('DEL', key) == 1 then
      redis.call('ZADD', p .. 'removed', redis.call('TIME')[1], op.member)
      touch(op.member)
    end
  end
end
redis.call('SET', p .. 'writer:' .. writer, string.format('%.17g', last), 'EX', 86400)

local seen, results = {}, {}
for _, op in ipairs(operations) do
  if not seen[op.member] then
    seen[op.member] = true
    results[#results + 1] = { op.member, read(p, op.member) }
  end
end
return results
`;

/**
 * ARGV: part, last version known, limit. Returns [version of the store, its life, [member, version, document]...]. A
 * store that was emptied, or came back with older data, has another life: its version may have passed the one known.
 */
export const CHANGES: string = `${READ}
${PREFIX}
local found = redis.call('ZRANGEBYSCORE', p .. 'changes', '(' .. ARGV[2], '+inf', 'WITHSCORES', 'LIMIT', 0, ARGV[3])
local server = redis.pcall('INFO', 'server')
local run = type(server) == 'string' and string.match(server, 'run_id:(%w+)') or ''
local results = { redis.call('GET', p .. 'version') or '0', run .. (redis.call('HGET', KEYS[1], 'born') or '') }
for i = 1, #found, 2 do
  results[#results + 1] = { found[i], found[i + 1], read(p, found[i]) }
end
return results
`;

/** ARGV: part, version, then id, start in milliseconds and JSON of each request. */
export const APPEND: string = `${CHECK}
if isMigrated(ARGV[2]) then return redis.error_reply('${MIGRATED}') end
${PREFIX}
for i = 3, #ARGV, 3 do
  if redis.call('HSETNX', p .. 'requests', ARGV[i], ARGV[i + 2]) == 1 then
    redis.call('ZADD', p .. 'requestTimes', ARGV[i + 1], ARGV[i])
  end
end
return #ARGV
`;

/** ARGV: part, "1" for newest first, from, to, offset, limit. Returns time and JSON of each request. */
export const REQUESTS: string = `
${PREFIX}
local command = ARGV[2] == '1' and 'ZREVRANGEBYSCORE' or 'ZRANGEBYSCORE'
local found = redis.call(command, p .. 'requestTimes', ARGV[3], ARGV[4], 'WITHSCORES', 'LIMIT', ARGV[5], ARGV[6])
local results = {}
for i = 1, #found, 2 do
  results[#results + 1] = found[i + 1]
  results[#results + 1] = redis.call('HGET', p .. 'requests', found[i]) or ''
end
return results
`;

/**
 * ARGV: part, start in milliseconds before which requests go, number of requests kept, time of removal in seconds
 * before which traces of removed documents go. Removes at most 1,000 of each, and returns how many requests.
 */
export const RETAIN: string = `
${PREFIX}
-- A program whose clock is ahead must not remove what others keep: by the server's clock it has to be as old, too.
local before = math.min(tonumber(ARGV[2]), tonumber(redis.call('TIME')[1]) * 1000 - tonumber(ARGV[5]))
local old = redis.call('ZRANGEBYSCORE', p .. 'requestTimes', '-inf', string.format('(%.0f', before), 'LIMIT', 0, 1000)
if #old == 0 then
  local excess = redis.call('ZCARD', p .. 'requestTimes') - tonumber(ARGV[3])
  if excess > 0 then old = redis.call('ZRANGE', p .. 'requestTimes', 0, math.min(excess, 1000) - 1) end
end
if #old > 0 then
  redis.call('ZREM', p .. 'requestTimes', unpack(old))
  redis.call('HDEL', p .. 'requests', unpack(old))
end
local gone = redis.call('ZRANGEBYSCORE', p .. 'removed', '-inf', ARGV[4], 'LIMIT', 0, 1000)
if #gone > 0 then
  redis.call('ZREM', p .. 'changes', unpack(gone))
  redis.call('ZREM', p .. 'removed', unpack(gone))
end
return #old
`;

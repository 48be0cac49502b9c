/** A store in Redis, for several machines. */
import { OptimizerError } from "../../errors.js";
import { SCHEMA_VERSION } from "../../records.js";
import { type Migration, migrations } from "../migrations/index.js";
import { prepareServer } from "../migrations/prepareServer.js";
import { QueuedStore } from "../queuedStore.js";
import type { OptimizerStore } from "../store.js";
import { checkStoreOptions } from "../storeOptions.js";
import { RedisBackend, type RedisStoreOptions } from "./redisBackend.js";
import type { RedisClient } from "./redisClient.js";
import { redisPlace } from "./redisPlace.js";

export type { RedisStoreOptions } from "./redisBackend.js";
export type { CallingClient, RedisClient, SendingClient } from "./redisClient.js";

/**
 * Keeps everything in a Redis of the user's, version 6 or newer. Awaited writes are as durable as the server is
 * configured: `appendfsync always` loses nothing. The client stays open when the store is closed.
 *
 * @throws OptimizerError `OPTION_INVALID`
 * @example
 * const store = redisStore(new Redis(url), { prefix: "team:" });
 */
export function redisStore(client: RedisClient, options: RedisStoreOptions = {}): OptimizerStore {
  checkStoreOptions(options);
  const prefix = options.prefix ?? "optimizer:";
  if (prefix.length > 100) {
    throw new OptimizerError({
      code: "OPTION_INVALID",
      message: `prefix has ${prefix.length} characters`,
      remedy: "Give one of at most 100.",
    });
  }
  return redisStoreOf({ schemaVersion: SCHEMA_VERSION, migrations }, client, prefix, options);
}

/** {@link redisStore} for another schema version than the package's: what a future package will do. */
export function redisStoreOf(
  version: { readonly schemaVersion: number; readonly migrations: readonly Migration[] },
  client: RedisClient,
  prefix: string,
  options: RedisStoreOptions = {},
): OptimizerStore {
  const place = redisPlace(version, client, prefix, options);
  const backend = new RedisBackend(client, prefix, version.schemaVersion, options, () =>
    prepareServer(place),
  );
  return new QueuedStore(backend, options);
}

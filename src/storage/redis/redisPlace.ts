/** What Redis says and does about schema versions. */
import type { Migration } from "../migrations/index.js";
import { RESERVED_MS, type VersionedPlace } from "../migrations/prepareServer.js";
import { QueuedStore } from "../queuedStore.js";
import { callServer } from "../serverCall.js";
import { locationOf, RedisBackend, type RedisStoreOptions, versionPart } from "./redisBackend.js";
import { type RedisClient, runScript, sendCommand } from "./redisClient.js";
import { BEGIN, DROP } from "./scripts.js";

export function redisPlace(
  {
    schemaVersion,
    migrations: steps,
  }: { readonly schemaVersion: number; readonly migrations: readonly Migration[] },
  client: RedisClient,
  prefix: string,
  options: RedisStoreOptions,
): VersionedPlace {
  const location = locationOf(prefix);
  const meta = `${prefix}meta`;
  const call = <T>(work: () => Promise<T>) => callServer(location, work);
  const seconds = String(RESERVED_MS / 1000);
  return {
    location,
    to: schemaVersion,
    steps,
    begin: async () => {
      const words = ["", String(schemaVersion), seconds];
      const found = await call(() => runScript(client, BEGIN, meta, words));
      return found === "busy" ? "busy" : Number(found);
    },
    renew: async () => {
      const until = String(Math.floor(Date.now() / 1000) + RESERVED_MS / 1000);
      await call(() => sendCommand(client, ["HSET", meta, "migrating", until]));
    },
    open: (version) =>
      // Text that is in an old store was redacted when it was stored.
      new QueuedStore(new RedisBackend(client, prefix, version, options), {
        ...options,
        storeText: true,
        redact: [],
      }),
    drop: async (version) => {
      const words = [versionPart(version)];
      while (Number(await call(() => runScript(client, DROP, meta, words))) > 0) {}
    },
    end: async (version) => {
      await call(() => sendCommand(client, ["HSET", meta, "schemaVersion", String(version)]));
      await call(() => sendCommand(client, ["HDEL", meta, "migrating"]));
    },
  };
}

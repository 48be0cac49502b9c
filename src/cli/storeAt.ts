/** The store that a command reads or changes: a folder, or a server that machines share. */
import { existsSync } from "node:fs";
import type { Logger } from "../logger.js";
import { memoryStore } from "../storage/memory.js";
import { postgresStore } from "../storage/postgres/postgresStore.js";
import { redisStore } from "../storage/redis/redisStore.js";
import type { OptimizerStore } from "../storage/store.js";
import type { Surroundings } from "./command.js";
import { openStore, storeFolder } from "./openStore.js";
import { postgresClient, redisClient } from "./serverClients.js";
import { status } from "./status.js";

/** Flags that say which store, as `readFlags` takes them. */
export const STORE_FLAGS = { store: { type: "string" }, prefix: { type: "string" } } as const;

/** Lines of a help text for {@link STORE_FLAGS}. */
export const STORE_HELP = `  --store PLACE   a folder, redis://... or postgres://...; default your state folder   (OPTIMIZER_STORE)
  --prefix TEXT   of the keys or tables on a server, where the programs set one`;

/**
 * Opens the store that the flags name, and closes it behind `use`.
 *
 * @param options.create a folder that is not there is made; without it nothing is, and the store is empty
 * @throws OptimizerError `CLIENT_MISSING`, `STORE_UNREACHABLE`, `STORE_NEWER` and what else opening throws
 */
export async function withStore<T>(
  place: { readonly store?: string | undefined; readonly prefix?: string | undefined },
  { environment, err, signal }: Pick<Surroundings, "environment" | "err" | "signal">,
  use: (store: OptimizerStore) => Promise<T>,
  options: { readonly create?: boolean } = {},
): Promise<T> {
  const logger: Logger = { warn: (text) => void err.write(`${text}\n`) };
  const name = storeFolder(place.store, environment);
  const shown = status(err);
  const waiting = setTimeout(() => shown.show(`opening ${hidden(name)}`, 0), SLOW_MS);
  const opening = open(name, place.prefix, logger, options.create ?? false);
  const opened = await Promise.race([opening, aborted(signal)]).finally(() => {
    clearTimeout(waiting);
    shown.end();
  });
  try {
    return await use(opened.store);
  } finally {
    await opened.store.close().finally(opened.end);
  }
}

/** Nobody needs to be told of less. Milliseconds. */
const SLOW_MS = 400;

/** A URL without its password. */
function hidden(name: string): string {
  return name.replace(/^(\w+:\/\/[^@/]*:)[^@/]*@/, "$1***@");
}

/** A server out of reach is tried again for ten seconds: Ctrl-C does not wait for that. */
function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const stop = (): void => reject(signal.reason);
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop, { once: true });
  });
}

interface Opened {
  readonly store: OptimizerStore;
  /** Ends the client of a server. */
  end(): Promise<unknown>;
}

const NOTHING_TO_END = async (): Promise<void> => {};

async function open(
  name: string,
  prefix: string | undefined,
  logger: Logger,
  create: boolean,
): Promise<Opened> {
  if (/^rediss?:\/\//.test(name)) return reached(await openRedis(name, prefix, logger));
  if (/^postgres(ql)?:\/\//.test(name)) return reached(await openPostgres(name, prefix, logger));
  if (!create && !existsSync(name)) {
    logger.warn(`There is no store at ${name} yet: the first call makes it.`);
    return { store: memoryStore(), end: NOTHING_TO_END };
  }
  return { store: await openStore(name, logger), end: NOTHING_TO_END };
}

async function reached(opened: Opened): Promise<Opened> {
  try {
    await opened.store.ready();
    return opened;
  } catch (error) {
    await opened.store.close().catch(() => {});
    await opened.end().catch(() => {});
    throw error;
  }
}

async function openRedis(url: string, prefix: string | undefined, logger: Logger): Promise<Opened> {
  const { client, end } = await redisClient(url);
  return { store: redisStore(client, { prefix, logger }), end };
}

async function openPostgres(url: string, prefix: string | undefined, logger: Logger): Promise<Opened> {
  const { client, end } = await postgresClient(url);
  return { store: postgresStore(client, { prefix, logger }), end };
}

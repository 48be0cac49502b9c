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
import { type Status, status } from "./status.js";

/** Flags that say which store, as `readFlags` takes them. */
export const STORE_FLAGS = { store: { type: "string" }, prefix: { type: "string" } } as const;

/** Lines of a help text for {@link STORE_FLAGS}. */
export const STORE_HELP = `  --store PLACE   a folder, redis://... or postgres://...; default your state folder   (OPTIMIZER_STORE)
  --prefix TEXT   of the keys or tables on a server, where the programs set one        (OPTIMIZER_PREFIX)`;

/** What the flags of {@link STORE_FLAGS} were given. */
export interface StorePlace {
  readonly store?: string | undefined;
  readonly prefix?: string | undefined;
}

/**
 * Opens the store that the flags name, and closes it behind `use`, which gets what to call it too.
 *
 * @param options.create a folder that is not there is made; without it nothing is, and the store is empty
 * @param options.warn hears what the store warns of; default: printed to `err`
 * @throws OptimizerError `CLIENT_MISSING`, `STORE_UNREACHABLE`, `STORE_NEWER` and what else opening throws
 */
export async function withStore<T>(
  place: StorePlace,
  { environment, err, signal }: Pick<Surroundings, "environment" | "err" | "signal">,
  use: (store: OptimizerStore, place: string) => Promise<T>,
  options: { readonly create?: boolean; readonly warn?: (text: string) => void } = {},
): Promise<T> {
  const shown = status(err);
  const logger: Logger = { warn: options.warn ?? ((text) => printed(text, err, shown)) };
  const name = storeFolder(place.store, environment);
  const waiting = setTimeout(() => shown.show(`opening ${withoutCredentials(name)}`, 0), SLOW_MS);
  const prefix = prefixOf(place.prefix, environment);
  const opening = open(name, prefix, logger, options.create ?? false);
  const opened = await Promise.race([opening, aborted(signal)]).finally(() => {
    clearTimeout(waiting);
    shown.end();
  });
  try {
    return await use(opened.store, placeNamed(name, prefix));
  } finally {
    await opened.store.close().finally(opened.end);
  }
}

/** Nobody needs to be told of less. Milliseconds. */
const SLOW_MS = 400;

/** In a line of its own, where a bar stands. */
function printed(text: string, err: Surroundings["err"], shown: Status): void {
  shown.end();
  err.write(`${text}\n`);
}

function prefixOf(flag: string | undefined, environment: Surroundings["environment"]): string | undefined {
  return flag ?? (environment.OPTIMIZER_PREFIX || undefined);
}

/**
 * Where a store lies, for people. With another prefix a server looks as if it held nothing.
 *
 * @example placeNamed("redis://me:secret@box", "a") // 'redis://box (prefix "a")'
 */
export function placeNamed(name: string, prefix: string | undefined): string {
  if (!isOnServer(name)) return name;
  const by =
    prefix === undefined ? "default prefix; programs that set one need --prefix" : `prefix "${prefix}"`;
  return `${withoutCredentials(name)} (${by})`;
}

/**
 * Of an address, what is not a secret: a query may hold a password too.
 *
 * @example withoutCredentials("redis://me:secret@box/0?x=1") // "redis://box/0"
 */
export function withoutCredentials(place: string): string {
  return isOnServer(place) ? place.replace(/\/\/.*@/, "//").replace(/\?.*/, "") : place;
}

/** A server out of reach is tried again for ten seconds: Ctrl-C does not wait for that. */
function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const stop = (): void => reject(signal.reason);
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop, { once: true });
  });
}

export interface Opened {
  readonly store: OptimizerStore;
  /** Ends the client of a server. */
  end(): Promise<unknown>;
}

const NOTHING_TO_END = async (): Promise<void> => {};

/** Whether a store lies on a server, rather than in a folder. */
export function isOnServer(name: string): boolean {
  return /^(rediss?|postgres(ql)?):\/\//.test(name);
}

/**
 * The store on a server, before anything is asked of it.
 *
 * @throws OptimizerError `CLIENT_MISSING`
 */
export function connected(name: string, prefix: string | undefined, logger: Logger): Promise<Opened> {
  return name.startsWith("redis") ? openRedis(name, prefix, logger) : openPostgres(name, prefix, logger);
}

async function open(
  name: string,
  prefix: string | undefined,
  logger: Logger,
  create: boolean,
): Promise<Opened> {
  if (isOnServer(name)) return reached(await connected(name, prefix, logger));
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
  return { store: redisStore(client, { prefix, logger, storeText: true }), end };
}

async function openPostgres(url: string, prefix: string | undefined, logger: Logger): Promise<Opened> {
  const { client, end } = await postgresClient(url);
  return { store: postgresStore(client, { prefix, logger, storeText: true }), end };
}

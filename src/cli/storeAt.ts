/** The store that a command reads or changes: a folder, or a server that machines share. */
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { OptimizerError } from "../errors.js";
import type { Logger } from "../logger.js";
import { memoryStore } from "../storage/memory.js";
import { postgresStore } from "../storage/postgres/postgresStore.js";
import { redisStore } from "../storage/redis/redisStore.js";
import type { OptimizerStore } from "../storage/store.js";
import type { Surroundings } from "./command.js";
import { openStore, storeFolder } from "./openStore.js";
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

/** The slices of the clients that are needed to begin and end. */
interface Ioredis {
  readonly Redis: new (
    url: string,
    options: { readonly maxRetriesPerRequest: number },
  ) => {
    call(command: string, ...words: string[]): Promise<unknown>;
    on(event: "error", listener: (error: Error) => void): unknown;
    disconnect(): void;
  };
}
interface NodeRedis {
  createClient(options: { readonly url: string }): {
    connect(): Promise<unknown>;
    sendCommand(words: string[]): Promise<unknown>;
    on(event: "error", listener: (error: Error) => void): unknown;
    destroy(): void;
  };
}
interface Pg {
  readonly default: {
    readonly Pool: new (options: {
      readonly connectionString: string;
    }) => {
      query(text: string, values?: unknown[]): Promise<{ readonly rows: readonly unknown[] }>;
      on(event: "error", listener: (error: Error) => void): unknown;
      end(): Promise<void>;
    };
  };
}
interface PostgresJs {
  default(
    url: string,
    options: { readonly onnotice: () => void },
  ): {
    unsafe(text: string, values?: (string | number | null)[]): PromiseLike<readonly unknown[]>;
    end(): Promise<void>;
  };
}

const IGNORED = (): void => {};

async function openRedis(url: string, prefix: string | undefined, logger: Logger): Promise<Opened> {
  const { name, module } = await client(["ioredis", "redis"]);
  if (name === "ioredis") {
    const redis = new (module as Ioredis).Redis(url, { maxRetriesPerRequest: 2 });
    // The store tells of a server out of reach; without a listener the client prints it as well.
    redis.on("error", IGNORED);
    return { store: redisStore(redis, { prefix, logger }), end: async () => redis.disconnect() };
  }
  const redis = (module as NodeRedis).createClient({ url });
  redis.on("error", IGNORED);
  void redis.connect().catch(IGNORED);
  return { store: redisStore(redis, { prefix, logger }), end: async () => redis.destroy() };
}

async function openPostgres(url: string, prefix: string | undefined, logger: Logger): Promise<Opened> {
  const { name, module } = await client(["pg", "postgres"]);
  if (name === "pg") {
    const pool = new (module as Pg).default.Pool({ connectionString: url });
    pool.on("error", IGNORED);
    return { store: postgresStore(pool, { prefix, logger }), end: () => pool.end() };
  }
  const sql = (module as PostgresJs).default(url, { onnotice: IGNORED });
  return { store: postgresStore(sql, { prefix, logger }), end: () => sql.end() };
}

/**
 * The first of these packages that is installed: beside the project that the command is run in, or beside this package.
 *
 * @throws OptimizerError `CLIENT_MISSING`
 */
export async function client(
  names: readonly string[],
  bases: readonly string[] = [pathToFileURL(join(process.cwd(), "package.json")).href, import.meta.url],
): Promise<{ readonly name: string; readonly module: unknown }> {
  for (const name of names) {
    for (const base of bases) {
      let path: string;
      try {
        path = createRequire(base).resolve(name);
      } catch {
        continue;
      }
      return { name, module: await import(pathToFileURL(path).href) };
    }
  }
  throw new OptimizerError({
    code: "CLIENT_MISSING",
    message: `A store on this server needs the package ${names.join(" or ")}, and none is installed`,
    remedy: `Run \`npm install ${names[0]}\` in this folder and try again.`,
  });
}

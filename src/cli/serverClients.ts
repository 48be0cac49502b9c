/** Clients of Redis and PostgreSQL by their URL, of the packages that their user has installed. */
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { OptimizerError } from "../errors.js";
import type { PostgresClient } from "../storage/postgres/postgresClient.js";
import type { RedisClient } from "../storage/redis/redisClient.js";

export interface ServerClient<C> {
  readonly client: C;
  end(): Promise<unknown>;
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

/** @throws OptimizerError `CLIENT_MISSING` */
export async function redisClient(url: string): Promise<ServerClient<RedisClient>> {
  const { name, module } = await client(["ioredis", "redis"]);
  if (name === "ioredis") {
    const redis = new (module as Ioredis).Redis(url, { maxRetriesPerRequest: 2 });
    // Who uses it tells of a server out of reach; without a listener the client prints it as well.
    redis.on("error", IGNORED);
    return { client: redis, end: async () => redis.disconnect() };
  }
  const redis = (module as NodeRedis).createClient({ url });
  redis.on("error", IGNORED);
  void redis.connect().catch(IGNORED);
  return { client: redis, end: async () => redis.destroy() };
}

/** @throws OptimizerError `CLIENT_MISSING` */
export async function postgresClient(url: string): Promise<ServerClient<PostgresClient>> {
  const { name, module } = await client(["pg", "postgres"]);
  if (name === "pg") {
    const pool = new (module as Pg).default.Pool({ connectionString: url });
    pool.on("error", IGNORED);
    return { client: pool, end: () => pool.end() };
  }
  const sql = (module as PostgresJs).default(url, { onnotice: IGNORED });
  return { client: sql, end: () => sql.end() };
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

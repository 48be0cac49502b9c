/** Redis and PostgreSQL for a test file: those of scripts/services/start.mjs, or private ones while it runs. */
import { afterAll } from "vitest";
import { startPostgres, startRedis, type TestServer } from "../../scripts/services/servers.mjs";

/** Address of a server; null when none is installed. */
async function find(
  given: string | undefined,
  start: () => Promise<TestServer | null>,
): Promise<string | null> {
  if (given) return given;
  const server = await start();
  afterAll(() => server?.stop());
  return server?.url ?? null;
}

export const redisUrl = (): Promise<string | null> => find(process.env.REDIS_TEST_URL, startRedis);
export const postgresUrl = (): Promise<string | null> => find(process.env.POSTGRES_TEST_URL, startPostgres);
/** Why a test is skipped, for its name. */
export const NOT_INSTALLED = "(skipped: not installed, see scripts/services/start.mjs)";

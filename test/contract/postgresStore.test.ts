import { Pool } from "pg";
import postgres from "postgres";
import { afterAll, describe, it } from "vitest";
import { startPostgres } from "../../scripts/services/servers.mjs";
import { type PostgresClient, postgresStore } from "../../src/storage/postgres/postgresStore.ts";
import { describeStoreContract } from "./storeContract.ts";

const server = process.env.POSTGRES_TEST_URL ? null : await startPostgres();
const url = process.env.POSTGRES_TEST_URL ?? server?.url;
afterAll(() => server?.stop());

let places = 0;

function contractOver(
  name: string,
  connect: () => { client: PostgresClient; end(): Promise<unknown> },
): void {
  describeStoreContract(name, {
    setUp: async () => {
      const prefix = `test${process.pid}_${places++}_`;
      const connections = [1, 2].map(connect);
      let opened = 0;
      return {
        open: (options) => postgresStore(connections[opened++ % 2]!.client, { ...options, prefix }),
        tearDown: async () => {
          await Promise.all(connections.map(({ end }) => end()));
        },
      };
    },
  });
}

if (url === undefined) {
  describe("PostgreSQL", () => {
    it.skip("no PostgreSQL is installed; see scripts/services/start.mjs", () => {});
  });
} else {
  contractOver("PostgreSQL by pg", () => {
    const pool = new Pool({ connectionString: url, max: 3 });
    return { client: pool, end: () => pool.end() };
  });
  contractOver("PostgreSQL by postgres.js", () => {
    const sql = postgres(url, { max: 3, onnotice: () => {} });
    return { client: sql, end: () => sql.end() };
  });
}

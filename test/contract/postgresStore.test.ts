import { Pool } from "pg";
import postgres from "postgres";
import { describe, it } from "vitest";
import { type PostgresClient, postgresStore } from "../../src/storage/postgres/postgresStore.ts";
import { NOT_INSTALLED, postgresUrl } from "./servers.ts";
import { describeStoreContract } from "./storeContract.ts";

const url = await postgresUrl();

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

if (url === null) {
  describe("PostgreSQL", () => {
    it.skip(`keeps the store contract ${NOT_INSTALLED}`, () => {});
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

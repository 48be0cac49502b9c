/** The slice of a PostgreSQL client that is needed: one statement with parameters. */

/** pg: a `Pool` (a `Client` does not come back after the server was restarted). */
interface QueryingClient {
  query(text: string, values?: unknown[]): Promise<{ readonly rows: readonly unknown[] }>;
  on?(event: "error", listener: (error: Error) => void): unknown;
  off?(event: "error", listener: (error: Error) => void): unknown;
}
/** postgres.js. */
interface UnsafeClient {
  unsafe(text: string, values?: (string | number | null)[]): PromiseLike<readonly unknown[]>;
}
/** A `Pool` of pg, or what `postgres(url)` of postgres.js returns. */
export type PostgresClient = QueryingClient | UnsafeClient;

/** A row with every column as text. */
export type Row = Readonly<Record<string, string | null>>;

/** Runs one statement. Without values it may be several, in one transaction. */
export async function runSql(
  client: PostgresClient,
  text: string,
  values: readonly (string | number | null)[] = [],
): Promise<readonly Row[]> {
  const rows =
    "unsafe" in client
      ? await client.unsafe(text, [...values])
      : (await client.query(text, [...values])).rows;
  return rows as readonly Row[];
}

/** The slice of a PostgreSQL client that is needed: one statement with parameters. */

/** pg: a `Pool` (a `Client` does not come back after the server was restarted). */
export interface QueryingClient {
  /** Runs one statement with parameters `$1`, `$2`. */
  query(text: string, values?: unknown[]): Promise<{ readonly rows: readonly unknown[] }>;
  /** Hears of lost connections. */
  on?(event: "error", listener: (error: Error) => void): unknown;
  /** Ends what `on` began. */
  off?(event: "error", listener: (error: Error) => void): unknown;
}
/** postgres.js. */
export interface UnsafeClient {
  /** Runs one statement with parameters `$1`, `$2`. */
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

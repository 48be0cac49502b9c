/** A server that a test may kill and start again on the same data. */
export interface TestServer {
  readonly url: string;
  pid(): number | undefined;
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>;
  restart(): Promise<void>;
  /** Ends it and removes its data. */
  stop(): Promise<void>;
}
export function findProgram(name: string): string | null;
export function startRedis(): Promise<TestServer | null>;
export function startPostgres(): Promise<TestServer | null>;

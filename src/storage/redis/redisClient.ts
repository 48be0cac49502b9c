/** The slice of a Redis client that is needed: any command as words. */
import { createHash } from "node:crypto";

/** ioredis. */
export interface CallingClient {
  /** Sends one command. */
  call(command: string, ...words: string[]): Promise<unknown>;
}
/** node-redis. */
export interface SendingClient {
  /** Sends one command, its name first. */
  sendCommand(words: string[]): Promise<unknown>;
}
/** ioredis (`new Redis()`) or node-redis (`createClient()`, connected). */
export type RedisClient = (CallingClient | SendingClient) & {
  /** Hears of lost connections, where the client tells them. */
  on?(event: "error", listener: (error: Error) => void): unknown;
  /** Ends what `on` began. */
  off?(event: "error", listener: (error: Error) => void): unknown;
};

/** Sends a command. */
export function sendCommand(client: RedisClient, words: readonly string[]): Promise<unknown> {
  const [command = "", ...rest] = words;
  // ioredis has a sendCommand too, of another kind.
  return "call" in client ? client.call(command, ...rest) : client.sendCommand([...words]);
}

const hashes = new Map<string, string>();

/** Runs a script, by its hash when the server has it. */
export async function runScript(
  client: RedisClient,
  script: string,
  key: string,
  words: readonly string[],
): Promise<unknown> {
  const hash = hashes.get(script) ?? createHash("sha1").update(script).digest("hex");
  hashes.set(script, hash);
  try {
    return await sendCommand(client, ["EVALSHA", hash, "1", key, ...words]);
  } catch (error) {
    if (!(error instanceof Error) || !error.message.startsWith("NOSCRIPT")) throw error;
    return sendCommand(client, ["EVAL", script, "1", key, ...words]);
  }
}

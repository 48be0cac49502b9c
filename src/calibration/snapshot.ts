/** What a server had loaded, and putting it back. */
import { loadedModels, post, type ServerAddress } from "../backend/ollama.js";
import { readBody } from "../backend/transport.js";
import type { WireLoadedModel } from "../backend/wire.js";
import type { RunnerOptions } from "../records.js";

/** A date beyond this many years ahead is Ollama's way to show "for ever". */
const FOREVER_MS = 10 * 365 * 86_400_000;

/** Runner options of a loaded model: the window that `/api/ps` shows, and what else is known of it. */
export type OptionsOf = (entry: WireLoadedModel) => RunnerOptions;

/**
 * Loads again what was loaded before and is not any more, with its window and what is left of its time; unloads
 * `model` if it was not loaded.
 *
 * @param now milliseconds since the epoch
 * @returns names that could not be loaded again
 */
export async function restore(
  server: ServerAddress,
  before: readonly WireLoadedModel[],
  model: string,
  optionsOf: OptionsOf,
  now: number,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const isIn = (entry: WireLoadedModel, list: readonly WireLoadedModel[]): boolean =>
    list.some((other) => other.digest === entry.digest && other.context_length === entry.context_length);
  if (!before.some(({ name }) => name === model)) {
    await ask(server, "/api/generate", { model, keep_alive: 0 }, signal);
  }
  const failed: string[] = [];
  for (const entry of before) {
    if (entry.name !== model && isIn(entry, await loadedModels(server, signal).catch(() => []))) continue;
    const body = { model: entry.name, keep_alive: keepAlive(entry, now), options: optionsOf(entry) };
    const isBack =
      (await ask(server, "/api/generate", { ...body, stream: false }, signal)) ||
      // A model that only embeds does not generate.
      (await ask(server, "/api/embed", { ...body, input: "" }, signal));
    if (!isBack) failed.push(entry.name);
  }
  return failed;
}

/** Seconds, or -1 for ever. */
function keepAlive({ expires_at: expires }: WireLoadedModel, now: number): number | undefined {
  const left = expires === undefined ? Number.NaN : Date.parse(expires) - now;
  if (Number.isNaN(left)) return undefined;
  return left > FOREVER_MS ? -1 : Math.max(1, Math.ceil(left / 1000));
}

/** Never rejects: what made it necessary to put things back is the error to be told. */
async function ask(server: ServerAddress, path: string, body: object, signal: AbortSignal): Promise<boolean> {
  try {
    const reply = await post(server, path, body, signal);
    await readBody(reply);
    return reply.status < 400;
  } catch {
    return false;
  }
}

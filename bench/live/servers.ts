/** Servers for the live benchmarks: fresh ones of the project's own, else the one at OLLAMA_HOST. */
import { existsSync } from "node:fs";
import { programOf } from "../../scripts/ollama/cache.mjs";
import { makeModels } from "../../scripts/ollama/models.mjs";
import { startOllama } from "../../scripts/ollama/serve.mjs";

export interface Server {
  readonly origin: string;
  stop(): Promise<void>;
}

export interface Servers {
  /** Each server is one of its own; else calls of two strategies would reload each other's windows. */
  readonly areSeparate: boolean;
  /** A server that has the models and has loaded none. */
  fresh(): Promise<Server>;
}

/**
 * @param version of Ollama, one that `scripts/ollama/install.sh` installs
 * @throws Error when it is not installed and OLLAMA_HOST names no server
 */
export async function servers(version: string): Promise<Servers> {
  if (existsSync(programOf(version))) {
    await makeModels(version);
    // A strategy waits while the others have their turn: nothing is to expire meanwhile.
    const env = { OLLAMA_KEEP_ALIVE: "-1" };
    return { areSeparate: true, fresh: () => startOllama({ version, port: undefined, env }) };
  }
  const host = process.env.OLLAMA_HOST;
  if (!host)
    throw new Error(`Ollama ${version} is not installed (npm run ollama) and OLLAMA_HOST is not set`);
  const origin = host.includes("://") ? host : `http://${host}`;
  const fresh = async (): Promise<Server> => {
    await unloadAll(origin);
    return { origin, stop: async () => {} };
  };
  return { areSeparate: false, fresh };
}

async function unloadAll(origin: string): Promise<void> {
  for (const { name } of await loaded(origin))
    await post(origin, "/api/generate", { model: name, keep_alive: 0 });
  while ((await loaded(origin)).length > 0) await new Promise((resolve) => setTimeout(resolve, 200));
}

export interface Loaded {
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  /** Tokens. */
  readonly context_length: number;
}

export async function loaded(origin: string): Promise<readonly Loaded[]> {
  const reply = (await (await fetch(`${origin}/api/ps`)).json()) as { models: Loaded[] | null };
  return reply.models ?? [];
}

export async function post(origin: string, path: string, body: object): Promise<Response> {
  const reply = await fetch(origin + path, { method: "POST", body: JSON.stringify(body) });
  if (!reply.ok) throw new Error(`${path} answered ${reply.status}: ${(await reply.text()).slice(0, 300)}`);
  return reply;
}

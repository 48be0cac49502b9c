import type { Hono } from "hono";
import { Engine } from "../../src/engine/engine.js";
import { createServerApp, type Listener, listen, type ServerAppOptions } from "../../src/server/index.js";
import { memoryStore } from "../../src/storage/memory.js";
import { type OllamaServer, type OllamaServerOptions, startOllamaServer } from "../../src/testing/index.js";

/** A server of this package before a scripted Ollama. */
export interface Pair extends AsyncDisposable {
  readonly ollama: OllamaServer;
  readonly app: Hono;
  readonly store: ReturnType<typeof memoryStore>;
  readonly warnings: readonly string[];
  listen(): Promise<Listener>;
  post(path: string, body: unknown, headers?: Record<string, string>): Promise<Response>;
}

export async function pair(
  behind: OllamaServerOptions = {},
  options: Partial<ServerAppOptions> = {},
): Promise<Pair> {
  const ollama = await startOllamaServer({
    models: [
      { name: "tiny", trainedNumCtx: 32_768 },
      { name: "vectors", capabilities: ["embedding"] },
    ],
    ...behind,
  });
  const store = memoryStore();
  const warnings: string[] = [];
  const logger = { warn: (text: string) => void warnings.push(text) };
  const engine = new Engine({ store, logger });
  const app = createServerApp({ upstream: ollama.origin, store, engine, logger, ...options });
  const listeners: Listener[] = [];
  return {
    ollama,
    app,
    store,
    warnings,
    listen: async () => {
      const listener = await listen(app, { port: 0 });
      listeners.push(listener);
      return listener;
    },
    post: async (path, body, headers = {}) =>
      app.request(path, {
        method: "POST",
        headers: { "content-type": "application/json", ...headers },
        body: typeof body === "string" ? body : JSON.stringify(body),
      }),
    [Symbol.asyncDispose]: async () => {
      await Promise.all(listeners.map((listener) => listener.close(1_000)));
      await engine.close();
      await ollama.close();
    },
  };
}

export const user = (content: string) => [{ role: "user", content }];
/** So many words; each is one token or more. */
export const words = (count: number): string => "word ".repeat(count);

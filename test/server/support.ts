import type { Hono } from "hono";
import { Engine } from "../../src/engine/engine.js";
import type { FinishedCall, QueueState, RunningCall } from "../../src/server/activity.js";
import { createServerApp, type Listener, listen, type ServerAppOptions } from "../../src/server/index.js";
import { memoryStore } from "../../src/storage/memory.js";
import { type OllamaServer, type OllamaServerOptions, startOllamaServer } from "../../src/testing/index.js";
import { parseMetrics } from "./metricsText.js";

/** A server of this package before a scripted Ollama. */
export interface Pair extends AsyncDisposable {
  readonly ollama: OllamaServer;
  readonly app: Hono;
  readonly store: ReturnType<typeof memoryStore>;
  readonly warnings: readonly string[];
  listen(): Promise<Listener>;
  post(path: string, body: unknown, headers?: Record<string, string>): Promise<Response>;
  /** What the event stream begins with. */
  snapshot(): Promise<Snapshot>;
  /** The sum of a metric's samples that have these labels. */
  metric(name: string, labels?: Record<string, string>): Promise<number>;
}

interface Snapshot {
  readonly running: readonly RunningCall[];
  readonly recent: readonly FinishedCall[];
  readonly queue: QueueState;
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
    snapshot: async () => {
      const events = eventsOf(await app.request("/optimization/events"));
      const { value } = await events.next();
      await events.return(undefined);
      return value;
    },
    metric: async (name, labels = {}) => {
      const samples = parseMetrics(await (await app.request("/metrics")).text());
      return samples
        .filter((sample) => sample.name === `ollama_optimizer_${name}`)
        .filter((sample) => Object.entries(labels).every(([key, value]) => sample.labels[key] === value))
        .reduce((sum, { value }) => sum + value, 0);
    },
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

/** The events of a stream, parsed. */
// biome-ignore lint/suspicious/noExplicitAny: what came over the wire is compared, not relied on.
export async function* eventsOf(reply: Response): AsyncGenerator<any, void> {
  const reader = reply.body!.pipeThrough(new TextDecoderStream()).getReader();
  try {
    let text = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      text += value;
      const frames = text.split("\n\n");
      text = frames.pop()!;
      for (const frame of frames) if (frame.startsWith("data: ")) yield JSON.parse(frame.slice(6));
    }
  } finally {
    await reader.cancel();
  }
}

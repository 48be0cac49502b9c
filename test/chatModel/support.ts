import { OptimizedChatOllama } from "../../src/chatModel/optimizedChatOllama.js";
import type { OptimizedChatOllamaInput } from "../../src/chatModel/options.js";
import type { RequestRecord } from "../../src/records.js";
import { memoryStore } from "../../src/storage/memory.js";
import type { OptimizerStore } from "../../src/storage/store.js";
import {
  type OllamaServer,
  type OllamaServerOptions,
  type Script,
  scriptedEngine,
  startOllamaServer,
} from "../../src/testing/index.js";

export interface Bench {
  readonly server: OllamaServer;
  readonly store: OptimizerStore;
  model(fields?: OptimizedChatOllamaInput): OptimizedChatOllama;
  /** Bodies of the calls that generate, oldest first. */
  bodies(): Body[];
  records(): Promise<RequestRecord[]>;
  [Symbol.asyncDispose](): Promise<void>;
}

interface Body {
  readonly model: string;
  readonly messages: { role: string; content: string; images?: string[]; tool_calls?: unknown[] }[];
  readonly prompt: string;
  readonly options: Record<string, unknown>;
  readonly [field: string]: unknown;
}

/** A server with one model "tiny", and chat models that use it. */
export async function bench(
  reply: Script["reply"] = "ok",
  options: Omit<OllamaServerOptions, "engine"> = {},
): Promise<Bench> {
  const server = await startOllamaServer({
    models: [{ name: "tiny" }],
    ...options,
    engine: scriptedEngine({ reply }),
  });
  const store = memoryStore({ storeText: true });
  return {
    server,
    store,
    model: (fields = {}) =>
      new OptimizedChatOllama({ model: "tiny", baseUrl: server.origin, store, ...fields }),
    bodies: () =>
      server.requests
        .filter(({ path, body }) => /chat|generate/.test(path) && !(body as Body)._debug_render_only)
        .map(({ body }) => body as Body),
    records: async () => {
      await store.flush();
      const records: RequestRecord[] = [];
      for await (const record of store.requests()) records.push(record);
      return records;
    },
    async [Symbol.asyncDispose]() {
      await server.close();
      await store.close();
    },
  };
}

/** Waits until something holds, checked every few milliseconds. */
export async function until(holds: () => boolean, timeoutMs = 5_000): Promise<void> {
  const end = performance.now() + timeoutMs;
  while (!holds()) {
    if (performance.now() > end) throw new Error("It never happened");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

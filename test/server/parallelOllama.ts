/**
 * An Ollama that answers any number of calls at once, with a reply that ends when it is told to: the test server
 * runs a model's calls one after the other, as Ollama does by default (OLLAMA_NUM_PARALLEL=1).
 */
import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface ParallelOllama extends AsyncDisposable {
  readonly origin: string;
  /** Calls that are being answered. */
  running(): number;
  /** Gives all of them their last line. */
  endAll(): void;
}

const DIGEST = "a".repeat(64);
const LISTED = { name: "tiny:latest", model: "tiny:latest", size: 1e8, digest: DIGEST };
const WINDOW = 4_096;

export async function startParallelOllama(): Promise<ParallelOllama> {
  const running = new Set<ServerResponse>();
  const line = (content: string, more: object): string =>
    `${JSON.stringify({ model: "tiny", message: { role: "assistant", content }, ...more })}\n`;
  const server = createServer(async (request, reply) => {
    reply.setHeader("content-type", "application/json");
    if (request.url === "/api/version") return reply.end('{"version":"0.34.0"}');
    if (request.url === "/api/tags") return reply.end(JSON.stringify({ models: [LISTED] }));
    if (request.url === "/api/ps") {
      const loaded = { ...LISTED, size_vram: 0, expires_at: "2100-01-01T00:00:00Z", context_length: WINDOW };
      return reply.end(JSON.stringify({ models: [loaded] }));
    }
    request.resume();
    await once(request, "end");
    if (request.url === "/api/show") {
      const model_info = { "general.architecture": "llama", "llama.context_length": 32_768 };
      return reply.end(JSON.stringify({ modelfile: `FROM /blobs/sha256-${DIGEST}`, model_info }));
    }
    running.add(reply);
    reply.on("close", () => running.delete(reply));
    return reply.write(line("piece", { done: false }));
  });
  // Node lets 511 wait to be accepted.
  server.listen({ port: 0, host: "127.0.0.1", backlog: 4_096 });
  await once(server, "listening");
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    running: () => running.size,
    endAll: () => {
      const counts = { prompt_eval_count: 10, eval_count: 2, load_duration: 1e6, total_duration: 2e6 };
      for (const reply of running) reply.end(line("last", { done: true, done_reason: "stop", ...counts }));
    },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

import { once } from "node:events";
import http from "node:http";
import type { AddressInfo } from "node:net";

type Line = Readonly<Record<string, unknown>>;

/** The figures of a final line as Ollama 0.34 writes them. */
export const DONE: Line = {
  model: "tiny",
  done: true,
  done_reason: "stop",
  total_duration: 900e6,
  load_duration: 100e6,
  prompt_eval_count: 12,
  prompt_eval_cached_count: 4,
  prompt_eval_duration: 300e6,
  eval_count: 3,
  eval_duration: 450e6,
};

export const CHAT: readonly Line[] = [
  { model: "tiny", message: { role: "assistant", content: "Hel" }, done: false },
  { model: "tiny", message: { role: "assistant", content: "lo" }, done: false },
  { ...DONE, message: { role: "assistant", content: "" } },
];

/** Answers every POST with the next reply: lines with status 200, or a status with an error. */
export async function ollamaFake(...replies: (readonly Line[] | number)[]) {
  let next = 0;
  const server = http.createServer((request, response) => {
    request.resume();
    const reply = replies[Math.min(next++, replies.length - 1)]!;
    if (typeof reply === "number") {
      response.writeHead(reply).end(JSON.stringify({ error: "model 'tiny' not found" }));
      return;
    }
    response.writeHead(200, { "content-type": "application/x-ndjson" });
    response.end(reply.map((line) => `${JSON.stringify(line)}\n`).join(""));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests: () => next,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

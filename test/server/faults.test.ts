import { once } from "node:events";
import { createServer } from "node:http";
import { describe, expect, test } from "vitest";
import { type OllamaServer, startOllamaServer } from "../../src/testing/index.js";
import { type Pair, pair, user } from "./support.js";

const MODELS = [{ name: "tiny", trainedNumCtx: 32_768 }];

/** One call, and how it ended for its client: a status, or the error in the stream. */
async function ask(origin: string, path: string, stream: boolean): Promise<{ status: number; text: string }> {
  const reply = await fetch(origin + path, {
    method: "POST",
    body: JSON.stringify({ model: "tiny", messages: user("hello"), stream }),
  });
  return { status: reply.status, text: await reply.text() };
}

describe("an Ollama that dies under load and comes back", () => {
  test("every call ends with an answer or a reason, and calls work again without a restart", {
    timeout: 120_000,
  }, async () => {
    await using servers = await pair({ models: MODELS, loadMs: 1 });
    const { origin } = await servers.listen();
    const port = Number(new URL(servers.ollama.origin).port);
    let isOver = false;
    const ends: { status: number; text: string }[] = [];
    const clients = Array.from({ length: 20 }, async (_, index) => {
      const path = index % 2 ? "/api/chat" : "/v1/chat/completions";
      while (!isOver) {
        ends.push(await ask(origin, path, index % 4 < 2));
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    });
    const statusesSince = (from: number) => new Set(ends.slice(from).map(({ status }) => status));
    let again: OllamaServer | undefined;
    try {
      await expect.poll(() => ends.length, { timeout: 20_000 }).toBeGreaterThan(100);
      expect(statusesSince(0)).toEqual(new Set([200]));
      await servers.ollama.close();
      const died = ends.length;
      await expect
        .poll(() => ends.slice(died).filter(({ status }) => status !== 200).length, { timeout: 20_000 })
        .toBeGreaterThan(40);
      const failed = ends.slice(died).filter(({ status }) => status !== 200);
      expect(new Set(failed.map(({ status }) => status))).toEqual(new Set([502]));
      for (const { text } of failed)
        expect(JSON.parse(text).error.message ?? JSON.parse(text).error).toMatch(
          /ECONN|socket|not answer|reach/i,
        );
      again = await startOllamaServer({ port, models: MODELS, loadMs: 1 });
      const back = ends.length;
      await expect
        .poll(() => ends.slice(back + 40).filter(({ status }) => status === 200).length, { timeout: 20_000 })
        .toBeGreaterThan(100);
      const settled = ends.length;
      await expect.poll(() => ends.length, { timeout: 20_000 }).toBeGreaterThan(settled + 50);
      expect(statusesSince(settled)).toEqual(new Set([200]));
    } finally {
      isOver = true;
      await Promise.all(clients);
      await again?.close();
    }
    const { running, queue } = await servers.snapshot();
    expect({ running, waiting: queue.waiting }).toEqual({ running: [], waiting: 0 });
  });

  test("a stream that it breaks off ends with an error that clients see", async () => {
    // Its sockets are cut while it writes, as by a kill.
    const upstream = createServer((request, reply) => {
      request.resume();
      const chat = request.url === "/api/chat";
      reply.writeHead(chat ? 200 : 404, { "content-type": "application/x-ndjson" });
      if (!chat) reply.end("{}");
      else {
        reply.write(
          `${JSON.stringify({ model: "tiny", message: { role: "assistant", content: "a" }, done: false })}\n`,
        );
        setTimeout(() => reply.destroy(), 50);
      }
    });
    upstream.listen(0, "127.0.0.1");
    await once(upstream, "listening");
    const { port } = upstream.address() as { port: number };
    await using servers: Pair = await pair({}, { upstream: `http://127.0.0.1:${port}` });
    const { origin } = await servers.listen();
    const native = await ask(origin, "/api/chat", true);
    expect(native.status).toBe(200);
    expect(JSON.parse(native.text.trim().split("\n").at(-1)!)).toEqual({ error: expect.any(String) });
    const openAi = await ask(origin, "/v1/chat/completions", true);
    expect(openAi.text.trim().split("\n\n").at(-1)).toMatch(/^data: \{"error":\{"message":/);
    for (const path of ["/api/chat", "/v1/chat/completions"])
      expect((await ask(origin, path, false)).status).toBe(502);
    upstream.closeAllConnections();
    upstream.close();
  });
});

/**
 * Replies that are given again, on real Ollama servers of both generations.
 *
 *   node scripts/ollama/serve.mjs -- npx vitest run --config vitest.live.config.ts test/live/replyCache.live.test.ts
 */
import { Ollama } from "ollama";
import OpenAI from "openai";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Engine } from "../../src/engine/engine.js";
import { createServerApp, type Listener, listen } from "../../src/server/index.js";
import { memoryStore } from "../../src/storage/memory.js";
import { onEachOllama } from "./ollama.js";

const user = (content: string) => [{ role: "user" as const, content }];

interface Figures {
  readonly size: number;
  readonly hits: number;
  readonly misses: number;
}

onEachOllama((upstream, version) => {
  const store = memoryStore();
  const engine = new Engine({ store });
  let server: Listener;
  let ollama: Ollama;
  let openai: OpenAI;

  beforeAll(async () => {
    server = await listen(createServerApp({ upstream, store, engine, cache: {} }), { port: 0 });
    ollama = new Ollama({ host: server.origin });
    openai = new OpenAI({ baseURL: `${server.origin}/v1`, apiKey: "unused", maxRetries: 0 });
  });
  afterAll(async () => {
    await server.close(1_000);
    await engine.close();
  });

  const statistics = async () =>
    ((await (await fetch(`${server.origin}/optimization/cache-stats`)).json()) as { cache: Figures }).cache;

  test("a second call has the words of the first, streamed or whole, and takes no time of the model", async () => {
    const call = { model: "smollm2", messages: user("Say hi."), options: { temperature: 0, num_ctx: 2048 } };
    let streamed = "";
    const began = performance.now();
    for await (const { message } of await ollama.chat({ ...call, stream: true })) streamed += message.content;
    const [missMs, hits] = [performance.now() - began, [] as number[]];
    for (let times = 0; times < 20; times++) {
      const start = performance.now();
      const { message, eval_count, done_reason } = await ollama.chat(call);
      hits.push(performance.now() - start);
      expect([message.content, eval_count, done_reason]).toEqual([streamed, 0, "stop"]);
    }
    const hitMs = hits.sort((a, b) => a - b)[10]!;
    console.log(
      `Ollama ${version}: ${missMs.toFixed(0)} ms by the model, ${hitMs.toFixed(1)} ms from the cache`,
    );
    expect(hitMs).toBeLessThan(missMs / 2);
    expect(await statistics()).toMatchObject({ size: 1, hits: 20, misses: 1 });
  });

  test("OpenAI's client gets the same completion again; one that was cut is made anew", async () => {
    const call = { model: "smollm2", messages: user("Say hi."), temperature: 0 };
    const ask = (limit?: number) =>
      openai.chat.completions.create({ ...call, max_completion_tokens: limit }).withResponse();
    const told = async (limit?: number) => {
      const { data, response } = await ask(limit);
      return [response.headers.get("x-optimizer-cache"), data.choices[0]!.message.content];
    };
    const [first, again] = [await told(), await told()];
    expect([first[0], again]).toEqual(["miss", ["hit", first[1]]]);
    expect([(await told(2))[0], (await told(2))[0]]).toEqual(["miss", "miss"]);
  });

  test("equal calls at the same time are one call of the model, and it ends when all have left", async () => {
    const call = { model: "smollm2", messages: user("Count to a hundred."), options: { temperature: 0 } };
    const body = JSON.stringify({ ...call, stream: true });
    const before = await statistics();
    const clients = Array.from({ length: 3 }, () => new AbortController());
    const replies = await Promise.all(
      clients.map(({ signal }) => fetch(`${server.origin}/api/chat`, { method: "POST", body, signal })),
    );
    expect(replies.map(({ headers }) => headers.get("x-optimizer-cache")).sort()).toEqual([
      "hit",
      "hit",
      "miss",
    ]);
    // The one that began leaves first.
    const began = replies.findIndex(({ headers }) => headers.get("x-optimizer-cache") === "miss");
    clients[began]!.abort();
    const rest = replies.filter((_, index) => index !== began);
    const reader = rest[0]!.body!.getReader();
    for (let parts = 0; parts < 3; parts++) expect((await reader.read()).done).toBe(false);
    for (const client of clients) client.abort();
    await expect
      .poll(
        async () =>
          (await (await fetch(`${server.origin}/metrics`)).text()).match(/calls_running (\d+)/)?.[1],
      )
      .toBe("0");
    const { size, hits, misses } = await statistics();
    expect([size, hits, misses]).toEqual([before.size, before.hits, before.misses + 1]);
  });
});

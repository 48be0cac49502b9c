/**
 * Programs of Ollama's API on real Ollama servers of both generations, through the server, and a workload over both
 * surfaces: 300 calls, WORKLOAD_CALLS asks for more.
 *
 *   node scripts/ollama/serve.mjs -- npx vitest run --config vitest.live.config.ts test/live/server.live.test.ts
 */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { HumanMessage } from "@langchain/core/messages";
import { ChatOllama } from "@langchain/ollama";
import { Ollama } from "ollama";
import OpenAI from "openai";
import { afterAll, beforeAll, expect, test } from "vitest";
import { programOf } from "../../scripts/ollama/cache.mjs";
import { Engine } from "../../src/engine/engine.js";
import type { RequestRecord } from "../../src/records.js";
import { createServerApp, type Listener, listen } from "../../src/server/index.js";
import { memoryStore } from "../../src/storage/memory.js";
import { loadedModels, nothingLoaded, onEachOllama, words } from "./ollama.js";

const CALLS = Number(process.env.WORKLOAD_CALLS ?? 300);
/** By then every kind of call has been seen. */
const FIRST_CALLS = 50;
const user = (content: string) => [{ role: "user" as const, content }];

onEachOllama((upstream, version) => {
  const store = memoryStore();
  const engine = new Engine({ store });
  let server: Listener;

  beforeAll(async () => {
    server = await listen(createServerApp({ upstream, store, engine }), { port: 0 });
  });
  afterAll(async () => {
    await server.close(1_000);
    await engine.close();
  });

  test("the official client of npm: chat, generate, lists, errors, a stream that is broken off", async () => {
    const client = new Ollama({ host: server.origin });
    const options = { num_predict: 8, temperature: 0, seed: 1 };
    const whole = await client.chat({ model: "smollm2", messages: user("Name a colour."), options });
    expect(whole.message.content).not.toBe("");
    let streamed = "";
    const chunks = await client.chat({
      model: "smollm2",
      messages: user("Name a colour."),
      options,
      stream: true,
    });
    for await (const chunk of chunks) streamed += chunk.message.content;
    expect(streamed).toBe(whole.message.content);
    const generated = await client.generate({ model: "smollm2", prompt: "Once upon a time", options });
    expect(generated).toMatchObject({ done: true, response: expect.stringMatching(/./) });
    const names = (await client.list()).models.map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(["smollm2:latest", "random:latest"]));
    expect((await client.ps()).models.map(({ name }) => name)).toContain("smollm2:latest");
    expect((await client.show({ model: "smollm2" })).capabilities).toContain("completion");
    await expect(client.chat({ model: "absent", messages: user("hello") })).rejects.toThrow(/not found/);
    const endless = await client.chat({
      model: "smollm2",
      messages: user("Count to a thousand."),
      stream: true,
    });
    await expect(
      (async () => {
        for await (const _ of endless) endless.abort();
      })(),
    ).rejects.toThrow(/abort/i);
    if (version !== "0.24.0") {
      const { embeddings } = await client.embed({ model: "minilm", input: ["a", "b"] });
      expect(embeddings.map(({ length }) => length)).toEqual([384, 384]);
    }
  });

  test("the native command: run, list, show, ps", async () => {
    const ollama = async (...words: string[]): Promise<string> => {
      const env = { ...process.env, OLLAMA_HOST: server.origin };
      const running = promisify(execFile)(programOf(version), words, { env, timeout: 30_000 });
      running.child.stdin!.end();
      // The command cannot limit a reply, and a small model may go on until its window is full.
      const late = (error: { killed: boolean; stdout: string }) =>
        error.killed ? error : Promise.reject(error);
      return (await running.catch(late)).stdout;
    };
    expect((await ollama("run", "smollm2", "Say hello.")).trim()).not.toBe("");
    expect(await ollama("list")).toMatch(/smollm2:latest/);
    expect(await ollama("show", "smollm2")).toMatch(/context length/);
    expect(await ollama("ps")).toMatch(/smollm2:latest/);
  });

  test("LangChain's own ChatOllama: an answer, a stream, a prompt that Ollama alone would cut", async () => {
    const model = new ChatOllama({ model: "random", baseUrl: server.origin, numPredict: 4, temperature: 0 });
    const answer = await model.invoke([new HumanMessage("hello")]);
    expect(answer.usage_metadata!.output_tokens).toBeGreaterThan(0);
    let chunks = 0;
    for await (const _ of await model.stream("hello")) chunks++;
    expect(chunks).toBeGreaterThan(1);
    const long = await model.invoke(words(1_300));
    expect(long.usage_metadata!.input_tokens).toBeGreaterThan(5_000);
  });

  test(`${CALLS} calls of both surfaces: no reload after the first ${FIRST_CALLS}, no prompt cut`, {
    timeout: 60_000 + 600 * CALLS,
  }, async () => {
    await nothingLoaded(upstream);
    const openAi = new OpenAI({ baseURL: `${server.origin}/v1`, apiKey: "unused", maxRetries: 0 });
    const native = new Ollama({ host: server.origin });
    const before = (await recorded()).length;
    /** The same sizes again and again, the largest among the first; one in ten is long. */
    const wordsOf = (index: number): number => (index % 10 === 5 ? 400 : 10 + ((index * 37) % 60));
    const ask = async (index: number): Promise<void> => {
      const content = `Number ${index}: ${words(wordsOf(index))}`;
      const model = "random";
      const options = { num_predict: 2 };
      switch (index % 5) {
        case 0:
          await openAi.completions.create({ model, prompt: content, max_tokens: 2 });
          break;
        case 1:
          await native.chat({ model, messages: user(content), options });
          break;
        case 2:
          await openAi.chat.completions.create({ model, messages: user(content), max_tokens: 2 });
          break;
        case 3:
          await native.generate({ model, prompt: content, options });
          break;
        default: {
          const stream = await openAi.chat.completions.create({
            model,
            messages: user(content),
            max_tokens: 3,
            stream: true,
          });
          for await (const _ of stream);
        }
      }
    };
    let next = 0;
    let window = 0;
    await Promise.all(
      Array.from({ length: 2 }, async () => {
        while (next < CALLS) {
          const index = next++;
          await ask(index);
          if (index === FIRST_CALLS) window = (await loadedModels(upstream))[0]!.context_length;
        }
      }),
    );
    // The last ones are written when their clients have their answers already.
    await expect.poll(async () => (await recorded()).length - before, { timeout: 10_000 }).toBe(CALLS);
    const records = (await recorded()).slice(before);
    expect(records.filter(({ error }) => error !== null)).toEqual([]);
    const later = records.slice(FIRST_CALLS);
    // What was asked for: Ollama loads anew when options differ, and how long a warm call says that its load took
    // tells little on a busy machine.
    const reloads = later.filter(({ decision }) => decision!.action !== "keep");
    console.log(`Ollama ${version}: ${reloads.length} reloads in ${later.length} calls`);
    expect(reloads.length).toBeLessThanOrEqual(CALLS / 1_000);
    expect((await loadedModels(upstream)).map(({ context_length }) => context_length)).toEqual([window]);
    expect(new Set(later.map(({ numCtx, numBatch }) => `${numCtx} ${numBatch}`)).size).toBe(1);
    expect(records.filter(({ decision }) => decision!.outcome!.cut || decision!.outcome!.shifted)).toEqual(
      [],
    );
    // A token and more for each word: nothing of a prompt was left out.
    for (const { promptTokens, inputTokens } of records) expect(promptTokens!).toBeGreaterThan(inputTokens!);
  });

  async function recorded(): Promise<readonly RequestRecord[]> {
    const records: RequestRecord[] = [];
    for await (const record of store.requests()) records.push(record);
    return records;
  }
});

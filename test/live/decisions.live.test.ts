/**
 * What is decided, against what real servers do: loads are counted by their own `load_duration`.
 *
 *   node scripts/ollama/serve.mjs -- npx vitest run --config vitest.live.config.ts test/live/decisions.live.test.ts
 */
import { ChatOllama } from "@langchain/ollama";
import { beforeEach, expect, test } from "vitest";
import { memoryStore } from "../../src/storage/memory.js";
import {
  callOfAnother,
  decisionOf,
  learned,
  loadedModels,
  nothingLoaded,
  onEachOllama,
  post,
  smallChat,
  wasLoaded,
  words,
} from "./ollama.js";

onEachOllama((origin) => {
  beforeEach(() => nothingLoaded(origin));

  test("a mixed sequence loads for its first call and for its first long one, and nothing is cut", async () => {
    const model = smallChat(origin);
    const replies = [];
    for (const count of [20, 5, 40, 200, 10, 150, 60, 205, 30])
      replies.push(await model.invoke(words(count)));

    const decisions = replies.map(decisionOf);
    expect(replies.map(wasLoaded)).toEqual(decisions.map(({ action }) => action !== "keep"));
    expect(decisions.map(({ outcome }) => outcome?.reloaded)).toEqual(replies.map(wasLoaded));
    expect(replies.filter(wasLoaded).length).toBeLessThanOrEqual(2);
    for (const [index, { promptTokens, numCtx, outcome }] of decisions.entries()) {
      expect(outcome).toMatchObject({ cut: false, shifted: false, error: null });
      expect(promptTokens).toBeLessThanOrEqual(numCtx!);
      expect(replies[index]!.usage_metadata!.input_tokens).toBeLessThanOrEqual(promptTokens!);
    }
  });

  test("plain ChatOllama answers half a prompt without a word; the optimized model reads all of it", async () => {
    const prompt = words(4_600);
    const plain = new ChatOllama({ model: "random-qwen", baseUrl: origin, numPredict: 1 });
    const cut = await plain.invoke(prompt);
    const whole = await smallChat(origin, { model: "random-qwen" }).invoke(prompt);
    expect(cut.usage_metadata!.input_tokens).toBeLessThanOrEqual(4_096);
    expect(whole.usage_metadata!.input_tokens).toBeGreaterThan(4_600);
    expect(decisionOf(whole).outcome).toMatchObject({ cut: false, retries: 0 });
  });

  test("a call that is not optimized says whether its prompt was cut", async () => {
    const model = smallChat(origin, { model: "random-qwen", optimize: false, numPredict: 2 });
    const cuts = async (prompt: string, numCtx?: number) =>
      decisionOf(await model.invoke(prompt, { numCtx })).outcome?.cut;
    expect(await cuts(words(3_000))).toBe(false);
    expect(await cuts(words(4_600))).toBe(true);
    expect(await cuts(words(900), 512)).toBe(true);
    expect(await cuts(words(300), 512)).toBe(false);
  });

  test("a window that another program loaded is used as it is when it covers the call", async () => {
    const model = smallChat(origin);
    await model.invoke(words(10));
    await learned(model);
    await callOfAnother(origin, "random", 2_048);
    await model.ready();
    const reply = await model.invoke(words(10));
    expect(decisionOf(reply)).toMatchObject({ action: "keep", numCtx: 2_048 });
    expect(wasLoaded(reply)).toBe(false);
  });

  test("a window taken back while another program reloads is seen as a reload, and calls go on", async () => {
    const model = smallChat(origin);
    await model.invoke(words(10));
    await learned(model);
    await callOfAnother(origin, "random", 2_048);
    const after = await model.invoke(words(10));
    const next = await model.invoke(words(10));
    expect(decisionOf(after).outcome?.reloaded).toBe(wasLoaded(after));
    expect(wasLoaded(next)).toBe(false);
  });

  test("two names of the same weights share one window", async () => {
    // A name of this run alone: others may use the same model folder.
    const alias = `random-${process.pid}`;
    await post(origin, "/api/copy", { source: "random", destination: alias });
    try {
      const store = memoryStore();
      const [one, other] = [smallChat(origin, { store }), smallChat(origin, { store, model: alias })];
      await one.invoke(words(100));
      const reply = await other.invoke(words(10));
      const again = await one.invoke(words(10));
      expect(decisionOf(reply)).toMatchObject({ action: "keep", slot: decisionOf(again).slot });
      expect([wasLoaded(reply), wasLoaded(again)]).toEqual([false, false]);
      expect(await loadedModels(origin)).toHaveLength(1);
      await Promise.all([learned(one), learned(other)]);
    } finally {
      await fetch(`${origin}/api/delete`, { method: "DELETE", body: JSON.stringify({ model: alias }) });
    }
  });

  test("a prompt that was taken for shorter than it is goes out again, once, with room for it", async () => {
    // Without the tokenizer the count is an estimate, and this model spells words in letters.
    const withoutTokenizer: typeof fetch = async (url, init) =>
      String(init?.body).includes('"verbose":true') ? new Response("{}", { status: 500 }) : fetch(url, init);
    const model = smallChat(origin, { fetch: withoutTokenizer, optimizer: { minimumWindow: 1_024 } });
    await model.invoke(words(20));
    const reply = await model.invoke(words(220));
    expect(decisionOf(reply).outcome).toMatchObject({ retries: 1, cut: false, error: null });
    expect(reply.usage_metadata!.input_tokens).toBeGreaterThan(1_024);
    expect(decisionOf(await model.invoke(words(225))).outcome).toMatchObject({ retries: 0, cut: false });
  });

  test("a batch that one call asked for is repeated by those that say nothing, so that they do not reload", async () => {
    const model = smallChat(origin);
    const first = await model.invoke(words(10), { numCtx: 1_024, numBatch: 128 });
    const next = await model.invoke(words(10));
    expect([wasLoaded(first), wasLoaded(next)]).toEqual([true, false]);
    expect(decisionOf(next)).toMatchObject({ action: "keep", numCtx: 1_024, numBatch: 128 });
  });

  test("learning the chat template does not reload, nor do embeddings with the window of the decision", async () => {
    const model = smallChat(origin);
    const { numCtx } = decisionOf(await model.invoke(words(10)));
    await model.ready();
    await expect
      .poll(async () => (await model.countTokens("Hello")).source, { timeout: 20_000 })
      .toBe("exact");
    expect(wasLoaded(await model.invoke(words(10)))).toBe(false);
    // 0.34.0 refuses to embed with this model; with other options it would reload all the same.
    await (
      await post(origin, "/api/embed", { model: "random", input: "Hi", options: { num_ctx: numCtx } })
    ).text();
    expect(wasLoaded(await model.invoke(words(10)))).toBe(false);
  });

  test("after keep_alive the next call loads, and says so", async () => {
    const model = smallChat(origin);
    await model.invoke(words(10), { keepAlive: "1s" });
    await expect.poll(() => loadedModels(origin), { timeout: 20_000 }).toEqual([]);
    // Otherwise what was seen up to 2 s ago is taken for true, and the load shows in the reply.
    await model.ready();
    const reply = await model.invoke(words(10));
    expect(wasLoaded(reply)).toBe(true);
    expect(decisionOf(reply)).toMatchObject({ action: "load", outcome: { reloaded: true } });
  });

  test("a reply that never ends stops at the window instead of forgetting the prompt", async () => {
    const model = smallChat(origin, {
      numPredict: undefined,
      // At 0 it repeats itself, and Ollama breaks off after 30 equal tokens.
      temperature: 1,
      optimizer: { minimumWindow: 256, outputReserve: 64 },
    });
    const reply = await model.invoke(words(10));
    const { input_tokens, output_tokens } = reply.usage_metadata!;
    expect(reply.response_metadata.done_reason).toBe("length");
    expect(input_tokens + output_tokens).toBeLessThanOrEqual(decisionOf(reply).numCtx!);
    expect(decisionOf(reply).outcome?.shifted).toBe(false);
  });

  test.each(["AbortError", "TimeoutError"])(
    "%s stops the server: the next call does not wait",
    async (name) => {
      const model = smallChat(origin);
      await model.invoke("Hi");
      // Left alone it goes on for minutes. At temperature 0 Ollama would break it off.
      const endless = smallChat(origin, { numPredict: 100_000, numCtx: 8_192, temperature: 1 });
      const stop = new AbortController();
      setTimeout(() => stop.abort(), 500);
      const call = endless.invoke(
        "Go on",
        name === "AbortError" ? { signal: stop.signal } : { timeout: 500 },
      );
      await expect(call).rejects.toMatchObject({ name });
      const started = performance.now();
      await model.invoke("Hi", { numCtx: 8_192 });
      expect(performance.now() - started).toBeLessThan(5_000);
    },
  );
});

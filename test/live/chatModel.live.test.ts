/**
 * The chat model on real Ollama servers of both generations.
 *
 *   node scripts/ollama/serve.mjs -- npx vitest run --config vitest.live.config.ts test/live/chatModel.live.test.ts
 */
import { HumanMessage, SystemMessage } from "@langchain/core/messages";
import { tool } from "@langchain/core/tools";
import { createAgent } from "langchain";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import {
  OptimizedChatOllama,
  type OptimizedChatOllamaInput,
  OptimizedOllama,
  UpstreamError,
} from "../../src/index.js";
import type { DecisionRecord } from "../../src/records.js";
import { memoryStore } from "../../src/storage/memory.js";
import { ENTRY_PATHS } from "../chatModel/entryPaths.js";

const SERVERS = [
  ["0.34.0", process.env.OLLAMA_TEST_0_34],
  ["0.24.0", process.env.OLLAMA_TEST_0_24],
] as const;
const decisionOf = (reply: { response_metadata: Record<string, unknown> }) =>
  reply.response_metadata.optimizer as DecisionRecord;
const sentences = (topic: string, count: number) =>
  `The ${topic} is quite a long way from here. `.repeat(count);

describe.each(SERVERS)("Ollama %s", (version, origin) => {
  if (!origin) {
    test.skip(`no server: run by "node scripts/ollama/serve.mjs -- ..." with ${version} installed`, () => {});
    return;
  }
  const store = memoryStore();
  const chat = (fields: OptimizedChatOllamaInput = {}) =>
    new OptimizedChatOllama({
      model: "smollm2",
      baseUrl: origin,
      store,
      numPredict: 24,
      seed: 1,
      temperature: 0,
      ...fields,
    });

  test.each(ENTRY_PATHS)("$name: text, figures, decision", async ({ reply }) => {
    const { text, usage_metadata, response_metadata } = await reply(chat(), {}, "Name a colour.");
    expect(text).not.toBe("");
    expect(usage_metadata!.input_tokens).toBeGreaterThan(0);
    expect(response_metadata).toMatchObject({
      total_duration: expect.any(Number),
      eval_count: expect.any(Number),
    });
    expect(decisionOf({ response_metadata }).outcome).toMatchObject({ cut: false, error: null });
  });

  test.each(ENTRY_PATHS)("$name: an abort rejects at once", async ({ reply }) => {
    const stop = new AbortController();
    const started = performance.now();
    setTimeout(() => stop.abort(), 300);
    const call = reply(chat({ model: "random", numPredict: 100_000 }), { signal: stop.signal });
    await expect(call).rejects.toMatchObject({ name: "AbortError" });
    expect(performance.now() - started).toBeLessThan(3_000);
  });

  test.each(ENTRY_PATHS)("$name: an unknown model is a typed error", async ({ reply }) => {
    const error = await reply(chat({ model: "absent" })).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(UpstreamError);
    expect(error).toMatchObject({ code: "MODEL_NOT_FOUND", status_code: 404 });
  });

  test("leaving a stream stops the server, so that the next call is answered soon", async () => {
    const endless = chat({ model: "random", numPredict: 1_000_000 });
    for await (const _ of await endless.stream("Go on")) break;
    for await (const { event } of endless.streamEvents("Go on")) if (event === "content-block-delta") break;
    const started = performance.now();
    await chat({ model: "random", numPredict: 4 }).invoke("Stop");
    expect(performance.now() - started).toBeLessThan(5_000);
  });

  test("a conversation that grows is never cut, and reloads once at most", async () => {
    const model = chat({ model: "random", numPredict: 8 });
    let reloads = 0;
    for (const count of [20, 40, 60, 150, 160, 170]) {
      const reply = await model.invoke([
        new SystemMessage("Be brief."),
        new HumanMessage(sentences("sea", count)),
      ]);
      const { outcome } = decisionOf(reply);
      expect(outcome).toMatchObject({ cut: false, error: null });
      reloads += outcome!.reloaded ? 1 : 0;
    }
    expect(reloads).toBeLessThanOrEqual(2);
  });

  test("countTokens after a reply is the server's own count", async () => {
    const question = [new SystemMessage("Be brief."), new HumanMessage("Why is the sky blue?")];
    const model = chat();
    await model.ready();
    // The chat template is learned while the model is idle, what is constant with the reply after that.
    const source = async () => {
      await model.invoke(question);
      return (await model.countTokens(question)).source;
    };
    await expect.poll(source, { timeout: 60_000, interval: 500 }).toBe("exact");
    const { usage_metadata } = await model.invoke(question);
    expect((await model.countTokens(question)).tokens).toBe(usage_metadata!.input_tokens);
  });

  test("structured output by JSON schema", async () => {
    const colour = z.object({ name: z.enum(["red", "green", "blue"]) });
    const value = await chat({ numPredict: 40 }).withStructuredOutput(colour).invoke("Name a colour.");
    expect(colour.parse(value)).toEqual(value);
  });

  test("an agent with a tool runs to its end", async () => {
    const clock = tool(() => "noon", { name: "clock", description: "The time", schema: z.object({}) });
    const agent = createAgent({ model: chat({ model: "smollm2-tools" }), tools: [clock] });
    const { messages } = await agent.invoke({ messages: [new HumanMessage("Hello")] }, { recursionLimit: 8 });
    expect(decisionOf(messages.at(-1)!).action).not.toBe("pass");
  });

  test("the text model decides too", async () => {
    const model = new OptimizedOllama({ model: "smollm2", baseUrl: origin, store, numPredict: 8 });
    expect(await model.invoke("The sky is")).not.toBe("");
  });

  test("profile tells the trained window", async () => {
    const model = chat({ model: "random" });
    await model.ready();
    expect(model.profile.maxInputTokens).toBe(131_072);
  });

  test("trim keeps a conversation within the user's window", async () => {
    const turns = Array.from({ length: 8 }, (_, i) => new HumanMessage(`${i}. ${sentences("lake", 20)}`));
    const reply = await chat({ onOverflow: "trim", numCtx: 1024 }).invoke([
      ...turns,
      new HumanMessage("And now?"),
    ]);
    expect(decisionOf(reply).trimmedMessages).toBeGreaterThan(0);
    expect(decisionOf(reply).outcome?.cut).toBe(false);
    expect(reply.usage_metadata!.input_tokens).toBeLessThanOrEqual(1024);
  });
});

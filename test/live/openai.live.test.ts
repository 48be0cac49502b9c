/**
 * Programs of OpenAI's API on real Ollama servers of both generations, through the server.
 *
 *   node scripts/ollama/serve.mjs -- npx vitest run --config vitest.live.config.ts test/live/openai.live.test.ts
 */
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { ChatOpenAI } from "@langchain/openai";
import { embed, generateText, Output, streamText } from "ai";
import { createAgent, toolStrategy } from "langchain";
import OpenAI from "openai";
import { zodResponseFormat } from "openai/helpers/zod";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { Engine } from "../../src/engine/engine.js";
import { createServerApp, type Listener, listen } from "../../src/server/index.js";
import { memoryStore } from "../../src/storage/memory.js";
import { pythonClients, runPython } from "../server/openai/python/run.js";
import { WEATHER } from "../server/openai/support.js";
import { loadedModels, nothingLoaded, onEachOllama, words } from "./ollama.js";

/** A tool in the words with which the small model calls it. */
const weather = {
  ...WEATHER,
  function: {
    ...WEATHER.function,
    description: "weather of a city",
    parameters: { ...WEATHER.function.parameters, required: ["city"] },
  },
};
const City = z.object({ city: z.string(), inhabitants: z.number().int() });
const user = (content: string) => [{ role: "user" as const, content }];

onEachOllama((upstream, version) => {
  const store = memoryStore();
  const engine = new Engine({ store });
  let server: Listener;
  let client: OpenAI;
  /** Ollama's own `/v1`. */
  const own = new OpenAI({ baseURL: `${upstream}/v1`, apiKey: "unused", maxRetries: 0 });

  beforeAll(async () => {
    server = await listen(createServerApp({ upstream, store, engine }), { port: 0 });
    client = new OpenAI({ baseURL: `${server.origin}/v1`, apiKey: "unused", maxRetries: 0 });
  });
  afterAll(async () => {
    await server.close(1_000);
    await engine.close();
  });

  test("says the same as Ollama's own routes, and counts the same", async () => {
    const call = {
      model: "smollm2",
      messages: user("Name three colours."),
      max_tokens: 16,
      seed: 3,
      temperature: 0,
    };
    const ours = await client.chat.completions.create(call);
    const theirs = await own.chat.completions.create(call);
    expect(ours.choices[0]!.message.content).toBe(theirs.choices[0]!.message.content);
    expect(ours.usage).toMatchObject({
      prompt_tokens: theirs.usage!.prompt_tokens,
      completion_tokens: theirs.usage!.completion_tokens,
    });
    const text = { model: "smollm2", prompt: "Once upon a time", max_tokens: 16, temperature: 0 };
    expect((await client.completions.create(text)).choices[0]!.text).toBe(
      (await own.completions.create(text)).choices[0]!.text,
    );
  });

  test("streams the same text as it answers whole", async () => {
    const call = {
      model: "smollm2",
      messages: user("Name three colours."),
      max_tokens: 16,
      seed: 3,
      temperature: 0,
    };
    const whole = await client.chat.completions.create(call);
    const stream = client.chat.completions.stream({ ...call, stream_options: { include_usage: true } });
    const streamed = await stream.finalChatCompletion();
    expect(streamed.choices[0]!.message.content).toBe(whole.choices[0]!.message.content);
    expect(streamed.choices[0]!.finish_reason).toBe(whole.choices[0]!.finish_reason);
    expect((await stream.totalUsage()).completion_tokens).toBe(whole.usage!.completion_tokens);
    const response = client.responses.stream({
      model: "smollm2",
      input: "Name three colours.",
      max_output_tokens: 16,
    });
    expect((await response.finalResponse()).output_text).not.toBe("");
  });

  test("a prompt that Ollama's own routes cut is answered whole", async () => {
    await nothingLoaded(upstream);
    const call = { model: "random", messages: user(words(1_300)), max_tokens: 2 };
    const theirs = await own.chat.completions.create(call);
    expect(theirs.usage!.prompt_tokens).toBeLessThanOrEqual(4_096);
    const ours = await client.chat.completions.create(call);
    expect(ours.usage!.prompt_tokens).toBeGreaterThan(5_000);
  });

  test("calls of both surfaces share a window: no reload after the first calls", async () => {
    const ask = async (index: number): Promise<void> => {
      const content = `Number ${index}`;
      if (index % 2) {
        await client.chat.completions.create({ model: "smollm2", messages: user(content), max_tokens: 2 });
        return;
      }
      const body = { model: "smollm2", messages: user(content), stream: false, options: { num_predict: 2 } };
      await (await fetch(`${server.origin}/api/chat`, { method: "POST", body: JSON.stringify(body) })).text();
    };
    for (let index = 0; index < 6; index++) await ask(index);
    for (let index = 0; index < 20; index++) await ask(index);
    const reloads: unknown[] = [];
    for await (const { decision } of store.requests({ newestFirst: true, limit: 20 })) {
      if (decision?.outcome?.reloaded) reloads.push(decision);
    }
    expect(reloads).toEqual([]);
  });

  test("log probabilities, of chat and of completions", async () => {
    const { choices } = await client.chat.completions.create({
      model: "smollm2",
      messages: user("Name a colour."),
      max_tokens: 4,
      logprobs: true,
      top_logprobs: 2,
    });
    const tokens = choices[0]!.logprobs!.content!;
    expect(tokens.map(({ token }) => token).join("")).toBe(choices[0]!.message.content);
    expect(tokens[0]!.top_logprobs).toHaveLength(2);
    const text = await client.completions.create({
      model: "smollm2",
      prompt: "Hi",
      max_tokens: 4,
      logprobs: 2,
    });
    expect(text.choices[0]!.logprobs!.tokens!.join("")).toBe(text.choices[0]!.text);
  });

  test("answers by a schema, and calls of a function because it must", async () => {
    const completion = await client.chat.completions.parse({
      model: "smollm2",
      messages: user("Which city is the capital of France? As JSON."),
      response_format: zodResponseFormat(City, "city"),
      max_tokens: 200,
      temperature: 0,
    });
    expect(completion.choices[0]!.message.parsed).not.toBeNull();
    const time = {
      type: "function" as const,
      function: { name: "time", parameters: { type: "object", properties: {} } },
    };
    for (const [tools, tool_choice] of [
      [[weather], { type: "function" as const, function: { name: "weather" } }],
      [[weather, time], "required" as const],
    ] as const) {
      const { choices } = await client.chat.completions.create({
        model: "smollm2",
        messages: user("What is the weather in Paris?"),
        tools: [...tools],
        tool_choice,
        max_tokens: 200,
        temperature: 0,
      });
      const [call] = choices[0]!.message.tool_calls!;
      expect(choices[0]!.finish_reason).toBe("tool_calls");
      expect(["weather", "time"]).toContain(call!.type === "function" ? call!.function.name : "");
    }
  });

  test("calls of tools that the model decides on, as Ollama's own routes make them", async () => {
    const call = {
      model: "smollm2-tools",
      messages: user("What is the weather in Paris?"),
      tools: [weather],
      temperature: 0,
      max_tokens: 60,
    };
    const ours = (await client.chat.completions.create(call)).choices[0]!;
    const theirs = (await own.chat.completions.create(call)).choices[0]!;
    expect([ours.finish_reason, theirs.finish_reason]).toEqual(["tool_calls", "tool_calls"]);
    const called = ({ message }: typeof ours) =>
      message.tool_calls?.map(
        (one) => one.type === "function" && [one.function.name, JSON.parse(one.function.arguments)],
      );
    expect(called(ours)).toEqual(called(theirs));
  });

  test("ChatOpenAI answers, streams, structures its output and runs an agent", async () => {
    const chat = new ChatOpenAI({
      model: "smollm2-tools",
      apiKey: "unused",
      configuration: { baseURL: `${server.origin}/v1` },
      temperature: 0,
      maxTokens: 150,
    });
    expect((await chat.invoke("Name a colour.")).usage_metadata!.output_tokens).toBeGreaterThan(0);
    let streamed = "";
    for await (const chunk of await chat.stream("Name a colour.")) streamed += chunk.text;
    expect(streamed).not.toBe("");
    const structured = chat.withStructuredOutput(z.object({ city: z.string().max(40) }), {
      method: "functionCalling",
    });
    expect(await structured.invoke("Which city is the capital of France?")).toHaveProperty("city");
    // The call of its answer's form is forced: so small a model decides on none that one could rely on.
    const form = z.object({ city: z.string().max(40) });
    const agent = createAgent({ model: chat, tools: [], responseFormat: toolStrategy(form) });
    const { structuredResponse } = await agent.invoke({
      messages: user("Which city is the capital of France?"),
    });
    expect(structuredResponse).toHaveProperty("city");
  });

  test("the AI SDK generates, streams, and makes objects", async () => {
    const provider = createOpenAICompatible({
      name: "optimizer",
      baseURL: `${server.origin}/v1`,
      supportsStructuredOutputs: true,
    });
    const call = { model: provider("smollm2"), maxOutputTokens: 60, temperature: 0 };
    expect((await generateText({ ...call, prompt: "Name a colour." })).text).not.toBe("");
    let streamed = "";
    for await (const part of streamText({ ...call, prompt: "Name a colour." }).textStream) streamed += part;
    expect(streamed).not.toBe("");
    const { output } = await generateText({
      ...call,
      prompt: "Is the sky blue?",
      output: Output.object({ schema: z.object({ answer: z.boolean() }) }),
    });
    expect(typeof output.answer).toBe("boolean");
    if (version !== "0.24.0") {
      const { embedding } = await embed({ model: provider.embeddingModel("minilm"), value: "one" });
      expect(embedding).toHaveLength(384);
    }
  });

  test.skipIf(version === "0.24.0")(
    "embeddings are Ollama's own; a text beyond the window is refused",
    async () => {
      const call = { model: "minilm", input: ["one", "two"] };
      const ours = await client.embeddings.create(call);
      const theirs = await own.embeddings.create(call);
      expect(ours.data.map(({ embedding }) => embedding)).toEqual(
        theirs.data.map(({ embedding }) => embedding),
      );
      expect(ours.usage).toEqual(theirs.usage);
      await expect(client.embeddings.create({ ...call, input: words(2_000) })).rejects.toMatchObject({
        status: 400,
        code: "context_length_exceeded",
      });
    },
  );

  test("a client that leaves makes room for the next", async () => {
    const endless = await client.chat.completions.create({
      model: "random",
      messages: user("Go on"),
      stream: true,
    });
    for await (const _ of endless) break;
    const started = performance.now();
    await client.chat.completions.create({ model: "random", messages: user("Hi"), max_tokens: 2 });
    expect(performance.now() - started).toBeLessThan(5_000);
    expect((await loadedModels(upstream)).length).toBeGreaterThan(0);
  });

  test("errors of a real server keep their kinds", async () => {
    const ask = (model: string, content: string, tools?: OpenAI.ChatCompletionTool[]) =>
      client.chat.completions.create({ model, messages: user(content), tools, max_tokens: 2 });
    await expect(ask("absent", "Hi")).rejects.toMatchObject({ status: 404, code: "model_not_found" });
    const tools = [
      { type: "function" as const, function: { name: "a", parameters: { type: "object", properties: {} } } },
    ];
    await expect(ask("random", "Hi", tools)).rejects.toMatchObject({
      status: 400,
      code: "capability_missing",
    });
    await expect(client.embeddings.create({ model: "absent", input: "a" })).rejects.toMatchObject({
      status: 404,
    });
  });

  const python = pythonClients();
  test.skipIf(!python)("the Python clients of OpenAI and Ollama", async () => {
    const vectors = version === "0.24.0" ? "-" : "minilm";
    const ours = await runPython(
      python!,
      "openai_client.py",
      server.origin,
      "smollm2",
      "smollm2-tools",
      vectors,
      "real",
    );
    expect(ours).toHaveLength(11);
    expect(await runPython(python!, "ollama_client.py", server.origin, "smollm2", vectors)).toHaveLength(6);
  });
});

import { InMemoryCache } from "@langchain/core/caches";
import { ContextOverflowError } from "@langchain/core/errors";
import {
  AIMessage,
  type BaseMessage,
  HumanMessage,
  SystemMessage,
  ToolMessage,
} from "@langchain/core/messages";
import { RunnableParallel } from "@langchain/core/runnables";
import { describe, expect, test } from "vitest";
import manifest from "../../package.json" with { type: "json" };
import { OptimizerCallbackHandler } from "../../src/callbacks/optimizerCallbackHandler.js";
import { OptimizedChatOllama } from "../../src/chatModel/optimizedChatOllama.js";
import { VERSION } from "../../src/chatModel/version.js";
import { UpstreamError } from "../../src/errors.js";
import type { DecisionRecord } from "../../src/records.js";
import { memoryStore } from "../../src/storage/memory.js";
import type { ScriptedCall } from "../../src/testing/index.js";
import { type Bench, bench } from "./support.js";

const echo = ({ messages }: ScriptedCall) => `You said ${messages.at(-1)?.content}`;
const decisionOf = (reply: Pick<AIMessage, "response_metadata">) =>
  reply.response_metadata.optimizer as DecisionRecord;

describe("identity", () => {
  const model = new OptimizedChatOllama("tiny", { store: memoryStore(), temperature: 0.3, numPredict: 9 });

  test("takes a model name first, as ChatOllama does", () => {
    expect(model.model).toBe("tiny");
    expect(model.temperature).toBe(0.3);
  });

  test("has its own name, its version, and exactly the six parameters of LangSmith", () => {
    expect(OptimizedChatOllama.lc_name()).toBe("OptimizedChatOllama");
    expect(model.getName()).toBe("OptimizedChatOllama");
    expect(VERSION).toBe(manifest.version);
    expect(model.metadata?.versions).toMatchObject({ "langchain-ollama-optimizer": VERSION });
    expect(model.getLsParams({ stop: ["x"] })).toEqual({
      ls_provider: "ollama",
      ls_model_name: "tiny",
      ls_model_type: "chat",
      ls_temperature: 0.3,
      ls_max_tokens: 9,
      ls_stop: ["x"],
    });
  });
});

describe("call options", () => {
  test("reach the wire through withConfig and bindTools too, and leave the model as it was", async () => {
    await using b = await bench();
    const model = b.model({ numCtx: 2048 });
    await model.withConfig({ numCtx: 8192 }).invoke("a");
    await model.bindTools([], { numBatch: 64, keepAlive: 60 }).invoke("b");
    expect(b.bodies()[0]!.options).toMatchObject({ num_ctx: 8192 });
    expect(b.bodies()[1]).toMatchObject({ keep_alive: 60, options: { num_ctx: 2048, num_batch: 64 } });
    expect(model).toMatchObject({ numCtx: 2048, numBatch: undefined, keepAlive: undefined });
  });

  test("concurrent calls each have their own", async () => {
    await using b = await bench();
    const model = b.model({ optimize: false });
    await Promise.all([2048, 4096, 8192].map((numCtx) => model.invoke(`window ${numCtx}`, { numCtx })));
    for (const { messages, options } of b.bodies())
      expect(messages[0]!.content).toBe(`window ${options.num_ctx}`);
  });

  test("invocationParams is pure and shows what the user set", () => {
    const model = new OptimizedChatOllama({ model: "tiny", store: memoryStore(), numCtx: 1024 });
    const before = model.invocationParams();
    expect(model.invocationParams({ numCtx: 4096, think: false })).toMatchObject({
      think: false,
      options: { num_ctx: 4096 },
    });
    expect(model.invocationParams()).toEqual(before);
  });

  test("a thinking level reaches the wire, and thinking is told apart from the answer", async () => {
    await using b = await bench(
      { thinking: "hm", content: "yes" },
      { models: [{ name: "tiny", capabilities: ["completion", "thinking"] }] },
    );
    const reply = await b.model().invoke("a", { think: "low" });
    expect(b.bodies()[0]!.think).toBe("low");
    expect(reply.content).toBe("yes");
    expect(reply.additional_kwargs.reasoning_content).toBe("hm");
    const native = await b.model().streamEvents("a");
    expect(native.contentBlocks).toMatchObject([
      { type: "reasoning", reasoning: "hm" },
      { type: "text", text: "yes" },
    ]);
  });

  test("a headers object and a fetch of the user's are used", async () => {
    await using b = await bench();
    const seen: Headers[] = [];
    const model = b.model({
      headers: new Headers({ "x-team": "a" }),
      fetch: (url, init) => {
        seen.push(new Headers(init?.headers));
        return fetch(url, init);
      },
    });
    expect((await model.invoke("a")).text).toBe("ok");
    expect(seen.length).toBeGreaterThan(0);
    expect(seen.every((headers) => headers.get("x-team") === "a")).toBe(true);
  });
});

describe("optimize", () => {
  const windowsOf = (b: Bench) =>
    b.bodies().map(({ options, truncate }) => [options?.num_ctx !== undefined, truncate]);

  test("decides a window for every call by default", async () => {
    await using b = await bench();
    const reply = await b.model().invoke("a");
    expect(windowsOf(b)).toEqual([[true, false]]);
    expect(decisionOf(reply).action).toBe("load");
  });

  test('with "command" only for messages that start with /opt, unless the call says otherwise', async () => {
    await using b = await bench(echo);
    const model = b.model({ optimize: "command" });
    const plain = await model.invoke("a");
    const command = await model.invoke("/opt a");
    await model.invoke("a", { optimize: true });
    expect(windowsOf(b)).toEqual([
      [false, undefined],
      [true, false],
      [true, false],
    ]);
    expect(decisionOf(plain).action).toBe("pass");
    expect(command.text).toBe("You said a");
  });

  test("with false a message that starts with /opt is text", async () => {
    await using b = await bench(echo);
    expect((await b.model({ optimize: false }).invoke("/opt a")).text).toBe("You said /opt a");
  });

  test("an unknown key of /opt is a clear error, and nothing is sent", async () => {
    await using b = await bench();
    await expect(b.model().invoke("/opt numCtx=1 a")).rejects.toMatchObject({ code: "OPTION_INVALID" });
    await expect(b.model().stream("/opt numCtx=1 a")).rejects.toMatchObject({ code: "OPTION_INVALID" });
    expect(b.bodies()).toEqual([]);
  });
});

describe("the cache", () => {
  test("tells models, sampling and windows apart, and replies once to equal calls", async () => {
    await using b = await bench(echo, { models: [{ name: "tiny" }, { name: "other" }] });
    const cache = new InMemoryCache();
    const ask = (fields: object, options: object = {}) => b.model({ cache, ...fields }).invoke("a", options);
    await ask({});
    await ask({ model: "other" });
    await ask({ temperature: 0.1 });
    await ask({ seed: 1 });
    await ask({ format: "json" });
    await ask({ numCtx: 8192 });
    await ask({}, { stop: ["x"] });
    expect(b.bodies()).toHaveLength(7);
    await ask({});
    await ask({}, {});
    await ask({}, { signal: new AbortController().signal });
    await ask({ keepAlive: "1h", numBatch: 64 });
    await ask({}, { metadata: { a: 1 }, tags: ["t"], configurable: { thread_id: "1" } });
    expect(b.bodies()).toHaveLength(7);
  });

  test("the key for {} is that of a plain call", () => {
    const model = new OptimizedChatOllama({ model: "tiny", store: memoryStore() });
    const key = model._getSerializedCacheKeyParametersForCall.bind(model);
    expect(key({})).toBe(key({ executionInfo: { taskId: "1" }, maxRetries: 0 } as never));
    expect(key({})).toContain('"tiny"');
  });

  test("/opt is not in it", async () => {
    await using b = await bench(echo);
    const model = b.model({ cache: new InMemoryCache() });
    expect((await model.invoke("/opt reserve=512 a")).text).toBe("You said a");
    expect((await model.invoke("a")).text).toBe("You said a");
    expect(b.bodies()).toHaveLength(1);
  });

  test("two images with one question are two calls", async () => {
    await using b = await bench("ok", { models: [{ name: "tiny", capabilities: ["completion", "vision"] }] });
    const model = b.model({ cache: new InMemoryCache() });
    const ask = (data: string) =>
      model.invoke([
        new HumanMessage({
          content: [
            { type: "text", text: "What?" },
            { type: "image", mimeType: "image/png", data },
          ],
        }),
      ]);
    await ask("AAAA");
    await ask("BBBB");
    await ask("AAAA");
    expect(b.bodies()).toHaveLength(2);
    expect(b.bodies()[0]!.messages.at(-1)!.images).toEqual(["AAAA"]);
  });
});

describe("counting", () => {
  test("getNumTokens asks the model's server only", async () => {
    await using b = await bench();
    const count = await b.model().getNumTokens("Count these words, please.");
    expect(count).toBeGreaterThan(3);
    expect(count).toBeLessThan(30);
    expect(b.server.state()).toEqual([]);
  });

  test("getNumTokens answers without a server", async () => {
    const b = await bench();
    await b.server.close();
    expect(await b.model().getNumTokens("Count these words, please.")).toBeGreaterThan(3);
  });

  test("countTokens counts a whole prompt, with tools, and says how sure it is", async () => {
    await using b = await bench();
    const model = b.model();
    const short = await model.countTokens("Hello");
    const long = await model.countTokens([
      new SystemMessage("Be brief."),
      new HumanMessage("Hello ".repeat(100)),
    ]);
    const tool = { type: "function", function: { name: "f", description: "d".repeat(400), parameters: {} } };
    const withTools = await model.countTokens("Hello", { tools: [tool] });
    expect(long.tokens).toBeGreaterThan(short.tokens + 50);
    expect(withTools.tokens).toBeGreaterThan(short.tokens + 50);
    expect(["exact", "bound", "estimate"]).toContain(short.source);
    expect(b.server.state()).toEqual([]);
  });

  test("countTokens counts what is sent, which has no /opt in it", async () => {
    await using b = await bench();
    const question = "Why is the sky blue?";
    const command = `/opt reserve=512 explain=true ${question}`;
    expect(await b.model().countTokens(command)).toEqual(await b.model().countTokens(question));
    const off = b.model({ optimize: false });
    expect((await off.countTokens(command)).tokens).toBeGreaterThan((await off.countTokens(question)).tokens);
  });

  test("after a reply the count is the server's own", async () => {
    await using b = await bench();
    const model = b.model();
    const question = [new SystemMessage("Be brief."), new HumanMessage("Why is the sky blue?")];
    const { usage_metadata } = await model.invoke(question);
    expect((await model.countTokens(question)).tokens).toBeGreaterThanOrEqual(usage_metadata!.input_tokens);
  });
});

test("profile tells the true window once the model is known", async () => {
  await using b = await bench("ok", { models: [{ name: "tiny", trainedNumCtx: 40_960 }] });
  const model = b.model();
  expect(model.profile).toEqual({});
  expect(b.model({ numCtx: 8192 }).profile.maxInputTokens).toBe(8192);
  await model.ready();
  expect(model.profile).toMatchObject({ maxInputTokens: 40_960, toolCalling: true });
  expect(b.server.state()).toEqual([]);
});

describe("onOverflow", () => {
  const filler = (word: string) => `${word} `.repeat(300);
  const conversation: BaseMessage[] = [
    new SystemMessage("Be brief."),
    ...Array.from({ length: 12 }, (_, i) => [
      new HumanMessage(filler(`question${i}`)),
      new AIMessage(filler(`answer${i}`)),
    ]).flat(),
    new HumanMessage("And now?"),
  ];
  const models = [{ name: "tiny", trainedNumCtx: 8192 }];

  test("trim leaves out the oldest messages, says how many, and the prompt is not cut", async () => {
    await using b = await bench("fine", { models });
    const reply = await b.model({ onOverflow: "trim" }).invoke(conversation);
    const sent = b.bodies().at(-1)!.messages;
    expect(sent[0]).toEqual({ role: "system", content: "Be brief." });
    expect(sent.at(-1)).toEqual({ role: "user", content: "And now?" });
    expect(sent[1]!.role).toBe("user");
    const optimizer = decisionOf(reply);
    expect(optimizer.trimmedMessages).toBe(conversation.length - sent.length);
    expect(optimizer.trimmedMessages).toBeGreaterThan(0);
    expect(optimizer.outcome).toMatchObject({ cut: false, error: null });
    expect((await b.records()).filter(({ error }) => error)).toEqual([]);
  });

  test("trim that cannot help is a ContextOverflowError", async () => {
    await using b = await bench("fine", { models });
    const call = b.model({ onOverflow: "trim" }).invoke(filler("one two three four five ").repeat(30));
    await expect(call).rejects.toSatisfy(ContextOverflowError.isInstance);
  });

  test("trim per call keeps a tool result with its call", async () => {
    await using b = await bench("fine", { models });
    const call = new AIMessage({ content: "", tool_calls: [{ id: "1", name: "f", args: {} }] });
    const result = new ToolMessage({ tool_call_id: "1", content: "42" });
    await b.model().invoke([...conversation, call, result], { onOverflow: "trim" });
    expect(
      b
        .bodies()
        .at(-1)!
        .messages.slice(-3)
        .map(({ role }) => role),
    ).toEqual(["user", "assistant", "tool"]);
  });

  test("cut is Ollama's own, and flagged", async () => {
    await using b = await bench("fine", { models });
    const reply = await b.model({ onOverflow: "cut" }).invoke(conversation);
    expect(b.bodies().at(-1)).not.toHaveProperty("truncate");
    expect(decisionOf(reply).outcome?.cut).toBe(true);
    expect(decisionOf(reply).reason).toMatch(/\(limit: \w+\); cut by the server as asked\.$/);
  });

  test("a window that the user set is never grown", async () => {
    await using b = await bench("fine", { models });
    const call = b.model({ numCtx: 1024 }).invoke(conversation);
    await expect(call).rejects.toThrow(/1024.*numCtx/s);
  });
});

describe("callbacks", () => {
  test("a handler that forbids the call stops the server, and the next call is free to go", async () => {
    await using b = await bench({ outputTokens: 200, chunkDelayMs: 50 }, { realTime: true });
    const guard = {
      name: "guard",
      raiseError: true,
      awaitHandlers: true,
      handleCustomEvent: () => Promise.reject(new Error("too long")),
    };
    await expect(b.model().invoke("a", { callbacks: [guard] })).rejects.toThrow("too long");
    await expect.poll(async () => (await b.records()).map(({ error }) => error)).toEqual(["ABORTED"]);
    // It needs another window, which waits for the calls under way.
    const reply = await b.model({ numPredict: 1 }).invoke("word ".repeat(9_000));
    expect(decisionOf(reply).action).toBe("grow");
  });

  test("the decision comes as a custom event with the run's id, and the usage as a token", async () => {
    await using b = await bench();
    const events: unknown[][] = [];
    let runId = "";
    let usage: unknown;
    await b.model().invoke("a", {
      callbacks: [
        {
          handleChatModelStart: (...[, , id]) => {
            runId = id;
          },
          handleCustomEvent: (...event) => void events.push(event),
          handleLLMNewToken: (...[, , , , , fields]) => {
            const message = (fields?.chunk as { message?: AIMessage } | undefined)?.message;
            usage = message?.usage_metadata ?? usage;
          },
        },
      ],
    });
    expect(events).toHaveLength(1);
    expect(events[0]!.slice(0, 3)).toEqual([
      "optimizer_decision",
      expect.objectContaining({ numCtx: expect.any(Number) }),
      runId,
    ]);
    expect((await b.records())[0]!.runId).toBe(runId);
    expect(usage).toMatchObject({ total_tokens: expect.any(Number) });
  });

  test("the callback handler on the same store counts no call twice", async () => {
    await using b = await bench({ delayMs: 300 }, { realTime: true });
    const callbacks = [new OptimizerCallbackHandler({ store: b.store })];
    await b.model().invoke("a", { callbacks });
    await b
      .model({ model: "absent" })
      .invoke("a", { callbacks })
      .catch(() => {});
    await b
      .model({ numCtx: 256 })
      .invoke("words ".repeat(2_000), { callbacks })
      .catch(() => {});
    await b
      .model()
      .invoke("a", { callbacks, timeout: 100 })
      .catch(() => {});
    const stop = new AbortController();
    setTimeout(() => stop.abort(), 100);
    await b
      .model()
      .invoke("a", { callbacks, signal: stop.signal })
      .catch(() => {});
    expect((await b.records()).map(({ error }) => error)).toEqual([
      null,
      "MODEL_NOT_FOUND",
      "CONTEXT_OVERFLOW",
      "TIMEOUT",
      "ABORTED",
    ]);
  });

  test("v2 events show the decision and, once, the usage", async () => {
    await using b = await bench("one two");
    const seen: string[] = [];
    let usages = 0;
    for await (const { event, data } of b.model().streamEvents("a", { version: "v2" })) {
      seen.push(event);
      if (event === "on_chat_model_stream" && data.chunk.usage_metadata) usages++;
    }
    expect(seen[0]).toBe("on_chat_model_start");
    expect(seen[1]).toBe("on_custom_event");
    expect(seen.at(-1)).toBe("on_chat_model_end");
    expect(usages).toBe(1);
  });
});

describe("batch", () => {
  test.each([0, -1, Number.NaN])(
    "a limit of %d calls at once is refused, as LangChain does",
    async (most) => {
      await using b = await bench();
      const inputs = ["cook ", "judge ", "cook ", "judge "].map((word) => word.repeat(60));
      await expect(b.model().batch(inputs, { maxConcurrency: most })).rejects.toThrow(/concurrency/);
    },
  );

  const task = (name: string) => `${`You work on task ${name}. `.repeat(30)}Now do part `;

  test("sends calls that begin alike next to each other; results keep the caller's order", async () => {
    await using b = await bench(({ messages }) => messages.at(-1)!.content!.slice(-2));
    const inputs = ["a", "b", "c", "a", "b", "c"].map((name, i) => `${task(name)}${name}${i}`);
    const replies = await b.model().batch(inputs, { maxConcurrency: 1 });
    expect(replies.map(({ text }) => text)).toEqual(["a0", "b1", "c2", "a3", "b4", "c5"]);
    expect(b.bodies().map(({ messages }) => messages[0]!.content.slice(-2))).toEqual([
      "a0",
      "a3",
      "b1",
      "b4",
      "c2",
      "c5",
    ]);
  });

  test("each call keeps its own options, and errors can be returned in place", async () => {
    await using b = await bench(echo);
    const inputs = [`${task("a")}0`, "/opt bad=1 x", `${task("a")}2`];
    const results = await b.model().batch(
      inputs,
      inputs.map((_, i) => ({ stop: [`stop${i}`] })),
      { returnExceptions: true },
    );
    expect(results.map((result) => result instanceof Error)).toEqual([false, true, false]);
    for (const { messages, options } of b.bodies())
      expect(options.stop).toEqual([`stop${messages[0]!.content.at(-1)}`]);
  });

  test("an input that is none fails alone", async () => {
    await using b = await bench(echo);
    const results = await b.model().batch(["a", { role: "nobody" } as never], {}, { returnExceptions: true });
    expect(results[0]).not.toBeInstanceOf(Error);
    expect(results[1]).toBeInstanceOf(Error);
  });

  test("maxConcurrency holds", async () => {
    await using b = await bench({ chunkDelayMs: 20, chunks: ["a", "b"] }, { realTime: true });
    const model = b.model();
    let running = 0;
    let most = 0;
    const callbacks = [
      {
        handleLLMStart: () => {},
        handleChatModelStart: () => {
          most = Math.max(most, ++running);
        },
        handleLLMEnd: () => void running--,
      },
    ];
    await model.batch(["a", "b", "c", "d", "e"], { maxConcurrency: 2, callbacks });
    expect(most).toBeLessThanOrEqual(2);
  });
});

test.each([false, true])("many calls may share a signal, cache %s: no warning of a leak", async (cache) => {
  await using b = await bench("ok");
  const warnings: string[] = [];
  const warned = ({ message }: Error): unknown => warnings.push(message);
  process.on("warning", warned);
  const { signal } = new AbortController();
  await b.model({ cache }).batch(
    Array.from({ length: 12 }, (_, index) => `${index % 2}`),
    { signal },
  );
  await new Promise((resolve) => setImmediate(resolve));
  process.off("warning", warned);
  expect(warnings).toEqual([]);
});

test("composes: pipe, RunnableParallel", async () => {
  await using b = await bench(echo);
  const model = b.model();
  const both = RunnableParallel.from({
    text: model.pipe((message: AIMessage) => message.text),
    message: model,
  });
  const { text, message } = await both.invoke("a");
  expect(text).toBe("You said a");
  expect(message.text).toBe("You said a");
});

describe("the native stream", () => {
  const slow = { chunks: Array.from({ length: 40 }, (_, i) => `word${i} `), chunkDelayMs: 20 };

  test("leaving the text and awaiting the message right away still gives the whole of it", async () => {
    await using b = await bench(slow, { realTime: true });
    const stream = b.model().streamEvents("a");
    for await (const _ of stream.text) break;
    expect((await stream).text).toContain("word39");
  });

  test("leaving the text for good stops the server", async () => {
    await using b = await bench(slow, { realTime: true });
    const stream = b.model().streamEvents("a");
    for await (const _ of stream.text) break;
    await expect.poll(() => b.server.requests.some(({ aborted }) => aborted)).toBe(true);
  });

  test("several readers see all of it", async () => {
    await using b = await bench("one two three");
    const stream = b.model().streamEvents("a");
    const [text, usage, message] = await Promise.all([stream.text, stream.usage, stream]);
    expect(text).toBe("one two three");
    expect(usage).toMatchObject({ total_tokens: expect.any(Number) });
    expect(message.text).toBe("one two three");
  });
});

test("messages that were replies of the native stream keep their tool calls on the next turn", async () => {
  await using b = await bench(({ messages }) =>
    messages.length > 1 ? "done" : { toolCalls: [{ name: "add", arguments: { a: 1 } }] },
  );
  const model = b.model();
  const tool = { type: "function", function: { name: "add", description: "", parameters: {} } };
  const reply = await model.streamEvents("a", { tools: [tool] });
  const result = new ToolMessage({ tool_call_id: reply.tool_calls![0]!.id!, content: "2" });
  await model.invoke([new HumanMessage("a"), reply, result], { tools: [tool] });
  expect(b.bodies().at(-1)!.messages[1]).toMatchObject({
    role: "assistant",
    tool_calls: [{ function: { name: "add", arguments: { a: 1 } } }],
  });
});

test("no prompt text in errors", async () => {
  await using b = await bench();
  b.server.failNext({ status: 500, message: "cannot read: my secret prompt", path: "/api/chat", times: 3 });
  const error = await b
    .model()
    .invoke("my secret prompt")
    .catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(UpstreamError);
  expect((error as Error).message).not.toContain("secret");
});

describe("text in the request log", () => {
  test("there is none unless asked for", async () => {
    await using b = await bench();
    await b.model().invoke("a");
    expect((await b.records())[0]).not.toHaveProperty("text");
  });

  test("is redacted before it is kept", async () => {
    await using b = await bench("Hello Ann");
    await b.model({ storeText: true, redact: (text) => text.replaceAll("Ann", "X") }).invoke("I am Ann");
    expect((await b.records())[0]!.text).toEqual({
      prompt: expect.stringContaining("I am X"),
      reply: "Hello X",
    });
  });

  test("stays out when the redaction throws, with a warning that quotes nothing", async () => {
    await using b = await bench();
    const warnings: string[] = [];
    const redact = () => {
      throw new Error("secret");
    };
    const logger = { warn: (message: string) => void warnings.push(message) };
    await b.model({ storeText: true, redact, logger }).invoke("secret");
    expect((await b.records())[0]).toMatchObject({ error: null });
    expect((await b.records())[0]).not.toHaveProperty("text");
    expect(warnings).toEqual([expect.not.stringContaining("secret")]);
  });
});

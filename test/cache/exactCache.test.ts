import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import {
  AIMessage,
  type AIMessageChunk,
  type BaseMessage,
  ChatMessage,
  HumanMessage,
  ToolMessage,
} from "@langchain/core/messages";
import { tool } from "@langchain/core/tools";
import { FakeListChatModel } from "@langchain/core/utils/testing";
import { ChatOllama } from "@langchain/ollama";
import { createAgent } from "langchain";
import { describe, expect, test, vi } from "vitest";
import { z } from "zod";
import { ExactCache, type ReplyCacheOptions, type SkipReason } from "../../src/cache/index.js";
import { memoryBackend } from "../../src/cache/memoryBackend.js";
import { engineOf } from "../../src/chatModel/engineOf.js";
import { OptimizedChatOllama } from "../../src/chatModel/optimizedChatOllama.js";
import { OptimizedOllama } from "../../src/chatModel/optimizedOllama.js";
import type { OptimizedChatOllamaInput } from "../../src/chatModel/options.js";
import type { Script } from "../../src/testing/index.js";
import { ENTRY_PATHS } from "../chatModel/entryPaths.js";
import { bench, until } from "../chatModel/support.js";

const counted = (): Script["reply"] => {
  let calls = 0;
  return () => `reply ${++calls}`;
};
/** Models that share one cache. */
async function cached(
  reply: Script["reply"] = counted(),
  options: ReplyCacheOptions = {},
  server: Parameters<typeof bench>[1] = {},
) {
  const b = await bench(reply, server);
  const cache = new ExactCache(options);
  const model = (fields: OptimizedChatOllamaInput = {}) => b.model({ temperature: 0, cache, ...fields });
  return {
    b,
    cache,
    model,
    calls: () => b.bodies().length,
    [Symbol.asyncDispose]: () => b[Symbol.asyncDispose](),
  };
}
const mark = (reply: { response_metadata: Record<string, unknown> }) => reply.response_metadata.cache;
const add = tool(({ a, b }) => String(a + b), {
  name: "add",
  description: "Adds",
  schema: z.object({ a: z.number(), b: z.number() }),
});

test("the second call is answered from the cache, and its reply says so", async () => {
  await using c = await cached();
  const first = await c.model().invoke("a");
  const second = await c.model().invoke("a");
  expect(c.calls()).toBe(1);
  expect(second.text).toBe(first.text);
  expect(mark(first)).toBe(undefined);
  expect(mark(second)).toEqual({
    hit: true,
    key: expect.stringMatching(/^tiny\/[0-9a-f]{64}$/),
    storedAt: expect.stringMatching(/^\d{4}-/),
    hits: 1,
  });
  expect(second.response_metadata).toMatchObject({ ...first.response_metadata });
});

test("usage is zero on the hit only, and nobody changes what another one gets", async () => {
  await using c = await cached();
  const first = await c.model().invoke("a");
  const used = structuredClone(first.usage_metadata);
  const second = await c.model().invoke("a");
  expect(second.usage_metadata).toEqual({ input_tokens: 0, output_tokens: 0, total_tokens: 0 });
  expect(first.usage_metadata).toEqual(used);
  expect(used!.total_tokens).toBeGreaterThan(0);
  second.content = "changed";
  second.response_metadata.cache = null;
  const third = await c.model().invoke("a");
  expect(third).not.toBe(second);
  expect(third.text).toBe(first.text);
  expect(third.id).toBe(undefined);
});

test("a different model, sampling, format, limit, think, tools or image is a different entry", async () => {
  await using c = await cached(
    counted(),
    { sampled: true },
    {
      models: [
        { name: "tiny", capabilities: ["completion", "tools", "thinking", "vision"] },
        { name: "other" },
      ],
    },
  );
  const image = (data: string) =>
    new HumanMessage({
      content: [
        { type: "text", text: "a" },
        { type: "image_url", image_url: `data:image/png;base64,${data}` },
      ],
    });
  const calls: (() => Promise<AIMessage>)[] = [
    () => c.model().invoke("a"),
    () => c.model().invoke("b"),
    () => c.model({ model: "other" }).invoke("a"),
    () => c.model({ temperature: 0.5 }).invoke("a"),
    () => c.model({ seed: 1 }).invoke("a"),
    () => c.model({ topK: 3 }).invoke("a"),
    () => c.model({ format: "json" }).invoke("a"),
    () => c.model({ numPredict: 50 }).invoke("a"),
    () => c.model({ numCtx: 8192 }).invoke("a"),
    () => c.model({ think: true }).invoke("a"),
    () => c.model({ baseUrl: c.b.server.origin.replace("127.0.0.1", "localhost") }).invoke("a"),
    () => c.model().invoke("a", { stop: ["x"] }),
    () => c.model().bindTools([add]).invoke("a"),
    () => c.model().invoke([image("AAAA")]),
    () => c.model().invoke([image("BBBB")]),
    () => c.model().invoke([new HumanMessage("a\nAI: b")]),
    () => c.model().invoke([new HumanMessage("a"), new AIMessage("b")]),
  ];
  for (const call of calls) await call();
  expect(c.calls()).toBe(calls.length);
  for (const call of calls) expect(mark(await call())).toBeDefined();
  expect(c.calls()).toBe(calls.length);
});

test("messages that read alike and are sent otherwise are different entries", async () => {
  await using c = await cached(
    counted(),
    {},
    { models: [{ name: "tiny", capabilities: ["completion", "tools"] }] },
  );
  const text = (value: string) => ({ type: "text", text: value }) as const;
  const toolCall = (args: object) => ({ id: "1", name: "f", args, type: "tool_call" }) as const;
  const result = new ToolMessage({ content: "r", tool_call_id: "1" });
  const inputs: BaseMessage[][] = [
    [new HumanMessage("ab")],
    [new HumanMessage({ content: [text("a"), text("b")] })],
    [new HumanMessage({ content: "hi", name: "Bob" })],
    [new HumanMessage("Bob, hi")],
    [new AIMessage("x")],
    [new ChatMessage("x", "AI")],
    [new HumanMessage("a\nuser: b")],
    [new HumanMessage("a"), new ChatMessage("b", "user")],
    [new HumanMessage("q"), new AIMessage({ content: "", tool_calls: [toolCall({ a: 1 })] }), result],
    [new HumanMessage("q"), new AIMessage(JSON.stringify([toolCall({ a: 1 })])), result],
    ...["7", "8"].map((id) => {
      const tool_calls = [toolCall({ x: { id, type: "tool_call" } })];
      return [new HumanMessage("q"), new AIMessage({ content: "", tool_calls }), result];
    }),
    ...[
      ["1", "2"],
      ["2", "1"],
    ].map(([first, second]) => [
      new HumanMessage("q"),
      new AIMessage({ content: "", tool_calls: [toolCall({ a: 1 }), { ...toolCall({ a: 2 }), id: "2" }] }),
      new ToolMessage({ content: "r", tool_call_id: first! }),
      new ToolMessage({ content: "s", tool_call_id: second! }),
    ]),
    ...["7", "8"].map((id) => [new HumanMessage(`Which id has {"id":"${id}","type":"tool_call"}?`)]),
  ];
  for (const input of inputs) expect(mark(await c.model().invoke(input))).toBe(undefined);
  for (const input of inputs) expect(mark(await c.model().invoke(input))).toBeDefined();
});

test("a reply to a prompt that was cut, or may have been, is no answer to the whole one", async () => {
  await using c = await cached(counted(), {}, { models: [{ name: "tiny", trainedNumCtx: 8192 }] });
  const long = [
    new HumanMessage("word ".repeat(6000)),
    new HumanMessage("word ".repeat(6000)),
    new HumanMessage("Why?"),
  ];
  await c.model({ onOverflow: "trim" }).invoke(long);
  await expect(c.model().invoke(long)).rejects.toThrow("8192");
  const fits = "word ".repeat(500);
  const before = c.calls();
  for (const optimize of [false, "command"] as const) {
    await c.model({ optimize }).invoke(fits);
    const again = await c.model({ optimize }).invoke(fits);
    expect(mark(again)).toBeDefined();
  }
  expect(mark(await c.model().invoke(fits))).toBe(undefined);
  for await (const _ of await c.model({ optimize: "command" }).stream(`/opt ${fits}`));
  expect(c.calls() - before).toBe(2);
});

test("what changes no answer makes no other entry", async () => {
  await using c = await cached();
  await c.model().invoke("a");
  const options = [
    { signal: new AbortController().signal },
    { tags: ["t"], metadata: { a: 1 }, runName: "r", configurable: { thread_id: "1" } },
    { timeout: 5_000 },
    { keepAlive: "1h" },
  ];
  for (const option of options) expect(mark(await c.model().invoke("a", option))).toBeDefined();
  expect(c.calls()).toBe(1);
});

test("the key holds the digest of the model, so that one made anew under its name starts afresh", async () => {
  await using c = await cached();
  const call = c.model();
  await call.invoke("a");
  expect(call._getSerializedCacheKeyParametersForCall({})).toMatch(/digest:"[0-9a-f]{64}"/);
});

test("hits have the server looked at now and then, so that a model made anew is noticed without any call", async () => {
  await using c = await cached();
  await c.model().invoke("a");
  const engine = engineOf(c.b.store, undefined);
  const look = vi.spyOn(engine, "lookNowAndThen");
  expect(mark(await c.model().invoke("a"))).toBeDefined();
  for await (const _ of await c.model().stream("a"));
  expect(look.mock.calls).toEqual([[c.b.server.origin], [c.b.server.origin]]);
});

test("agents hit at every step, tool calls included", async () => {
  await using c = await cached(
    ({ messages }) =>
      messages.at(-1)!.role === "tool"
        ? "It is 3"
        : ({ toolCalls: [{ name: "add", arguments: { a: 1, b: 2 } }] } as never),
    {},
    { models: [{ name: "tiny", capabilities: ["completion", "tools"] }] },
  );
  const agent = () => createAgent({ model: c.model(), tools: [add] });
  const ask = { messages: [{ role: "user", content: "1 + 2?" }] };
  const first = await agent().invoke(ask);
  expect(c.calls()).toBe(2);
  const second = await agent().invoke(ask);
  expect(c.calls()).toBe(2);
  expect(second.messages.map((message) => message.text)).toEqual(
    first.messages.map((message) => message.text),
  );
  expect((second.messages[1] as AIMessage).tool_calls).toEqual((first.messages[1] as AIMessage).tool_calls);
  const streamed = await agent().stream(ask, { streamMode: "values" });
  let last: { messages: { text: string }[] } | undefined;
  for await (const state of streamed) last = state as never;
  expect(last!.messages.at(-1)!.text).toBe("It is 3");
  expect(c.calls()).toBe(2);
});

describe.each(ENTRY_PATHS)("$name", ({ reply }) => {
  test("stores its reply and is served from it, with usage zero", async () => {
    await using c = await cached("one two  three");
    const first = await reply(c.model(), {}, "a");
    const second = await reply(c.model(), {}, "a");
    expect(second.text).toBe("one two  three");
    expect(second.text).toBe(first.text);
    expect(c.calls()).toBe(1);
    expect(second.usage_metadata!.total_tokens).toBe(0);
    expect(first.usage_metadata!.total_tokens).toBeGreaterThan(0);
    expect(mark(second)).toMatchObject({ hit: true, hits: 1 });
    expect(second.response_metadata).toMatchObject({ done_reason: "stop", model: "tiny" });
  });

  test("is served what every other way has stored", async () => {
    await using c = await cached("one two");
    await c.model().invoke("by invoke");
    for await (const _ of await c.model().stream("by stream")) {
      // To the end.
    }
    await c.model().streamEvents("by events");
    expect(c.calls()).toBe(3);
    for (const prompt of ["by invoke", "by stream", "by events"]) {
      const hit = await reply(c.model(), {}, prompt);
      expect(hit.text).toBe("one two");
      expect(mark(hit)).toBeDefined();
    }
    expect(c.calls()).toBe(3);
  });

  test("gives tool calls again", async () => {
    await using c = await cached(
      {
        toolCalls: [
          { name: "add", arguments: { a: 1, b: 2 } },
          { name: "add", arguments: { a: 3, b: 4 } },
        ],
      } as never,
      {},
      {
        models: [{ name: "tiny", capabilities: ["completion", "tools"] }],
      },
    );
    const ask = () => reply(c.model(), { tools: [add] } as never, "a");
    const calls = (message: AIMessage) => message.tool_calls!.map(({ name, args }) => ({ name, args }));
    const first = await ask();
    const second = await ask();
    expect(calls(first as AIMessage)).toEqual([
      { name: "add", args: { a: 1, b: 2 } },
      { name: "add", args: { a: 3, b: 4 } },
    ]);
    expect(calls(second as AIMessage)).toEqual(calls(first as AIMessage));
    expect(c.calls()).toBe(1);
  });
});

test("a stream is replayed in pieces that add up to the text", async () => {
  await using c = await cached("The sky  is\nblue. ");
  const read = async () => {
    const pieces: string[] = [];
    let whole: AIMessageChunk | undefined;
    for await (const chunk of await c.model().stream("a")) {
      pieces.push(chunk.text);
      whole = whole ? whole.concat(chunk) : chunk;
    }
    return { pieces: pieces.filter((piece) => piece !== ""), whole: whole! };
  };
  const first = await read();
  const second = await read();
  expect(c.calls()).toBe(1);
  expect(second.pieces.length).toBeGreaterThan(3);
  expect(second.pieces.join("")).toBe(first.whole.text);
  expect(second.whole.usage_metadata).toMatchObject({ total_tokens: 0 });
});

test("a stream that is left early is not stored", async () => {
  await using c = await cached("one two three four five");
  for await (const _ of await c.model().stream("a")) break;
  await c.model().invoke("a");
  expect(c.calls()).toBe(2);
});

describe("not stored", () => {
  test.each<[string, Script["reply"], object, SkipReason]>([
    ["a reply cut by its limit", "one two three four five six seven eight", { numPredict: 2 }, "cut"],
    ["an empty reply", "", {}, "empty"],
  ])("%s, and told", async (_, reply, fields, reason) => {
    await using c = await cached(reply);
    await c.model(fields).invoke("a");
    await c.model(fields).invoke("a");
    for await (const _ of await c.model(fields).stream("a")) {
      // To the end.
    }
    expect(c.calls()).toBe(3);
    const { size, misses, skipped } = await c.cache.statistics();
    expect([size, misses, skipped[reason]]).toEqual([0, 3, 3]);
  });

  test("a reply at a temperature above 0, or at Ollama's own, unless asked; said once", async () => {
    const warnings: string[] = [];
    await using c = await cached(counted(), { logger: { warn: (text) => warnings.push(text) } });
    for (const temperature of [0.7, 0.7, undefined]) {
      await c.model({ temperature }).invoke("a");
      await c.model({ temperature }).invoke("a");
    }
    expect(c.calls()).toBe(6);
    const { hits, misses, skipped } = await c.cache.statistics();
    expect([hits, misses, skipped]).toEqual([0, 0, { sampled: 6, cut: 0, empty: 0, other: 0 }]);
    expect(warnings).toHaveLength(2);
    expect(warnings[0]).toMatch("temperature is 0.7");
    expect(warnings[1]).toMatch("default is 0.8");
    await using asked = await cached(counted(), { sampled: true });
    await asked.model({ temperature: 0.7 }).invoke("a");
    await asked.model({ temperature: 0.7 }).invoke("a");
    expect(asked.calls()).toBe(1);
  });

  test("replies of plain ChatOllama, whose key does not name the model", async () => {
    await using c = await cached();
    const plain = () =>
      new ChatOllama({ model: "tiny", temperature: 0, baseUrl: c.b.server.origin, cache: c.cache });
    await plain().invoke("a");
    await plain().invoke("a");
    expect(c.calls()).toBe(2);
  });
});

describe("equal calls at the same time", () => {
  test("are one call, whichever way they were made", async () => {
    await using c = await cached({ delayMs: 100, content: "ok" } as never, {}, { realTime: true });
    const replies = await Promise.all([
      c.model().invoke("a"),
      c.model().invoke("a"),
      c.model().invoke("a"),
      ...ENTRY_PATHS.map(({ reply }) => reply(c.model(), {}, "a")),
    ]);
    expect(c.calls()).toBe(1);
    expect(new Set(replies.map((reply) => reply.text)).size).toBe(1);
    expect(replies.filter((reply) => mark(reply) === undefined)).toHaveLength(1);
    expect((await c.cache.statistics()).requestsSaved).toBe(replies.length - 1);
  });

  test("one that its caller gives up is followed by one of the others", async () => {
    await using c = await cached({ delayMs: 500, content: "ok" } as never, {}, { realTime: true });
    const stop = new AbortController();
    const first = c.model().invoke("a", { signal: stop.signal });
    await until(() => c.calls() === 1);
    const others = [1, 2, 3, 4].map(() => c.model().invoke("a"));
    setTimeout(() => stop.abort(), 50);
    const settled = await Promise.allSettled([first, ...others]);
    expect(settled.map(({ status }) => status)).toEqual(["rejected", ...Array(4).fill("fulfilled")]);
    expect(c.calls()).toBe(2);
  });

  test("are not held up by a consumer that leaves its stream lying", async () => {
    await using c = await cached("a b c");
    const lying = (await c.model().stream("a"))[Symbol.asyncIterator]();
    await lying.next();
    expect((await c.model().invoke("a")).text).toBe("a b c");
    await lying.return?.();
  });

  test("one that fails leaves the others to try for themselves", async () => {
    let calls = 0;
    await using c = await cached(() => {
      if (++calls === 1) throw new Error("broken");
      return "ok";
    });
    const results = await Promise.allSettled([
      c.model().invoke("a"),
      c.model().invoke("a"),
      c.model().invoke("a"),
    ]);
    expect(results.filter(({ status }) => status === "fulfilled").length).toBeGreaterThanOrEqual(2);
    expect(mark(await c.model().invoke("a"))).toBeDefined();
  });
});

test("several prompts of one call get each its own reply again", async () => {
  await using c = await cached(({ messages }) => `of ${JSON.stringify(messages[0]!.images)}`);
  const picture = (data: string) =>
    new HumanMessage({ content: [{ type: "image", mimeType: "image/png", data }] });
  const prompts = () => [[picture("QUFB")], [picture("QkJC")]];
  const texts = async () =>
    (await c.model().generate(prompts(), { runId: randomUUID() })).generations.map(([first]) => first!.text);
  const first = await texts();
  expect(new Set(first).size).toBe(2);
  expect(await texts()).toEqual(first);
  expect(c.calls()).toBe(2);
});

describe("a server that accepts calls and never answers", () => {
  const silent = async () => {
    const server = createServer(() => {});
    await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
    return {
      baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      [Symbol.dispose]: () => server.close().closeAllConnections(),
    };
  };
  const fields = { model: "tiny", temperature: 0, store: false as const };

  test.each([
    ["chat", (baseUrl: string) => new OptimizedChatOllama({ ...fields, baseUrl, cache: new ExactCache() })],
    ["text", (baseUrl: string) => new OptimizedOllama({ ...fields, baseUrl, cache: new ExactCache() })],
  ])("does not outlast a timeout or an abort of a %s model", async (_, modelAt) => {
    using server = await silent();
    for (const options of [{ timeout: 50 }, { signal: AbortSignal.timeout(50) }]) {
      await expect(modelAt(server.baseUrl).invoke("a", options)).rejects.toMatchObject({
        name: "TimeoutError",
      });
    }
  });

  test("waiting for an equal call is within the timeout too", async () => {
    await using c = await cached({ content: "a", delayMs: 60_000 });
    const first = c.model().invoke("a", { timeout: 1_500 });
    first.catch(() => {});
    await until(() => c.calls() === 1);
    const began = performance.now();
    // The first one ends within this one's time, and the rest of it is all that is left.
    await expect(c.model().invoke("a", { timeout: 2_000 })).rejects.toMatchObject({ name: "TimeoutError" });
    expect(performance.now() - began).toBeLessThan(2_800);
  });
});

test("statistics tell what was saved, in calls, time and money", async () => {
  const costOf = ({ model, outputTokens }: { model: string | null; outputTokens: number }) =>
    model === "tiny" ? outputTokens / 1000 : 0;
  await using c = await cached("one two", { costOf });
  const { usage_metadata, response_metadata } = await c.model().invoke("a");
  await c.model().invoke("a");
  await c.model().invoke("a");
  expect(await c.cache.statistics()).toMatchObject({
    size: 1,
    hits: 2,
    misses: 1,
    hitRate: 2 / 3,
    requestsSaved: 2,
    timeSavedMs: (2 * (response_metadata.total_duration as number)) / 1e6,
    costSaved: (2 * usage_metadata!.output_tokens) / 1000,
  });
});

test("a price that fails fails no call", async () => {
  await using c = await cached("ok", {
    costOf: () => {
      throw new Error("no price");
    },
  });
  await c.model().invoke("a");
  expect((await c.model().invoke("a")).text).toBe("ok");
});

test("entries are removed by key and by the model's name", async () => {
  await using c = await cached();
  await c.model().invoke("a");
  const { key } = mark(await c.model().invoke("a")) as { key: string };
  expect(await c.cache.invalidate(key)).toBe(1);
  await c.model().invoke("a");
  expect(c.calls()).toBe(2);
  expect(await c.cache.invalidate("tiny/*")).toBe(1);
  expect(await c.cache.invalidate("other/*")).toBe(0);
});

test("a call that was under way when its entry was removed stores nothing, and who waited for it asks anew", async () => {
  let calls = 0;
  await using c = await cached(() => ({ content: `reply ${++calls}`, delayMs: 150 }), {}, { realTime: true });
  const before = c.model().invoke("a");
  await until(() => c.calls() === 1);
  expect(await c.cache.invalidate("tiny/*")).toBe(0);
  const after = [c.model().invoke("a"), c.model().invoke("a")];
  expect((await before).text).toBe("reply 1");
  expect((await Promise.all(after)).map(({ text }) => text)).toEqual(["reply 2", "reply 2"]);
  expect(await c.model().invoke("a")).toMatchObject({ text: "reply 2" });
  expect(c.calls()).toBe(2);
});

test("calls of one model live longer than those of another, in the same cache", async () => {
  let now = 1_700_000_000_000;
  await using c = await cached(counted(), { ttlSeconds: 60, now: () => now });
  await c.model().invoke("short");
  await c.model({ cache: c.cache.withTtl(null) }).invoke("long");
  now += 61_000;
  expect(mark(await c.model().invoke("long"))).toBeDefined();
  expect(mark(await c.model().invoke("short"))).toBe(undefined);
});

test("what lies damaged under a key is a miss, and the call goes out", async () => {
  const backend = memoryBackend();
  await using c = await cached(counted(), { backend });
  await c.model().invoke("a");
  for await (const { key } of backend.entries()) {
    const figures = { tookMs: 1, inputTokens: 1, outputTokens: 1 };
    const odd = [
      { content: "ok", tool_calls: 5 },
      { content: "ok", tool_calls: [{ name: "f", args: "{" }] },
      { content: "ok", response_metadata: "s" },
      { content: "ok", usage_metadata: 7 },
      { content: [{ type: 5 }] },
    ].map((message) => JSON.stringify({ replies: [{ text: "ok", message }], ...figures }));
    const unread = JSON.stringify({ replies: [{ text: "ok", other: { text: "ok" } }], ...figures });
    const uncounted = JSON.stringify({
      replies: [{ text: "ok", message: { content: "ok" } }],
      ...figures,
      tookMs: "1",
    });
    const broken = [
      "{",
      "null",
      '{"replies":[]}',
      '{"replies":[null]}',
      '{"replies":[{"text":1,"message":5}]}',
    ];
    for (const value of [...broken, ...odd, unread, uncounted]) {
      await backend.set({ key, value, storedAt: Date.now(), expiresAt: null });
      expect((await c.model().invoke("a")).text).toMatch(/^reply/);
    }
  }
});

test("a place that is away fails no call", async () => {
  const away = () => Promise.reject(new Error("away"));
  const backend = { ...memoryBackend(), get: away, set: away, touch: away };
  await using c = await cached("ok", { backend });
  expect((await c.model().invoke("a")).text).toBe("ok");
  let text = "";
  for await (const chunk of await c.model().stream("a")) text += chunk.text;
  expect(text).toBe("ok");
});

test("any chat model of LangChain is served", async () => {
  const model = new FakeListChatModel({ responses: ["one", "two"], cache: new ExactCache() as never });
  expect((await model.invoke("a")).content).toBe("one");
  expect((await model.invoke("a")).content).toBe("one");
  expect((await model.invoke("b")).content).toBe("two");
});

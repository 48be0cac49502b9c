import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BaseCallbackHandler } from "@langchain/core/callbacks/base";
import { awaitAllCallbacks } from "@langchain/core/callbacks/promises";
import { AIMessage, AIMessageChunk, HumanMessage } from "@langchain/core/messages";
import { fakeModel } from "@langchain/core/testing";
import { tool } from "@langchain/core/tools";
import { FakeListChatModel, FakeStreamingLLM } from "@langchain/core/utils/testing";
import { MessagesAnnotation, StateGraph } from "@langchain/langgraph";
import { ChatOllama, Ollama } from "@langchain/ollama";
import { createAgent } from "langchain";
import { describe, expect, test, vi } from "vitest";
import { z } from "zod";
import {
  type CallbackClock,
  OptimizerCallbackHandler,
} from "../../src/callbacks/optimizerCallbackHandler.js";
import { markRecorded } from "../../src/errors.js";
import type { RequestRecord } from "../../src/records.js";
import { type ScriptedReply, scriptedEngine, startOllamaServer } from "../../src/testing/index.js";
import { appendedStore } from "./appendedStore.js";

function observed(options: { clock?: CallbackClock; tags?: string[] } = {}) {
  const { store, calls } = appendedStore();
  return { handler: new OptimizerCallbackHandler({ store, ...options }), calls };
}

/** Answers call after call with the next reply, and goes on with the last. */
function ollama(...replies: ScriptedReply[]) {
  const reply = ({ index }: { index: number }) => replies[Math.min(index, replies.length - 1)] ?? "Hello you";
  return startOllamaServer({ engine: scriptedEngine({ reply }) });
}

/** Every look at the clock is `stepMs` later. */
function steppingClock(stepMs: number): CallbackClock {
  let now = 1000;
  const monotonicMs = () => {
    now += stepMs;
    return now;
  };
  return { monotonicMs, date: () => new Date("2026-01-02T03:04:05Z") };
}

const started = (handler: OptimizerCallbackHandler, runId: string, metadata = {}) =>
  handler.handleChatModelStart(
    { lc: 1, type: "not_implemented", id: ["Chat"] },
    [],
    runId,
    undefined,
    {},
    [],
    metadata,
  );

describe("on plain ChatOllama", () => {
  test("invoke is recorded with the server's figures and the window that was sent", async () => {
    await using server = await ollama();
    const { handler, calls } = observed({ tags: ["nightly"] });
    const model = new ChatOllama({ model: "tiny", baseUrl: server.origin, numCtx: 8192, numBatch: 256 });

    const reply = await model.invoke("Hi", { callbacks: [handler], tags: ["greeting"] });

    const told = reply.response_metadata as Record<string, number>;
    expect(calls).toMatchObject([
      {
        source: "callback",
        model: "tiny",
        serverId: "ollama",
        promptTokens: told.prompt_eval_count,
        outputTokens: told.eval_count,
        totalMs: told.total_duration! / 1e6,
        loadMs: told.load_duration! / 1e6,
        promptMs: told.prompt_eval_duration! / 1e6,
        outputMs: told.eval_duration! / 1e6,
        numCtx: 8192,
        numBatch: 256,
        doneReason: "stop",
        error: null,
        tags: ["nightly", "greeting"],
      },
    ]);
    expect(calls[0]!.loadMs).toBeGreaterThan(100);
    expect(calls[0]!.timeToFirstTokenMs).toBeGreaterThan(0);
    expect(calls[0]!.runId).toBe(calls[0]!.id);
  });

  test("stream and streamEvents v2 are recorded like invoke, with what the prefix cache served", async () => {
    await using server = await ollama();
    const { handler, calls } = observed();
    const model = new ChatOllama({ model: "tiny", baseUrl: server.origin, callbacks: [handler] });

    await model.invoke("Hi");
    for await (const _ of await model.stream("Hi"));
    for await (const _ of model.streamEvents("Hi", { version: "v2" }));

    const [{ promptTokens, outputTokens }, ...streamed] = calls as [RequestRecord, ...RequestRecord[]];
    expect(promptTokens).toBeGreaterThan(0);
    expect(streamed).toMatchObject([
      { promptTokens, outputTokens, doneReason: "stop" },
      { promptTokens, outputTokens, doneReason: "stop" },
    ]);
    expect(streamed[0]!.cachedTokens).toBeGreaterThan(0);
  });

  test("an HTTP error is recorded as its code, without the server's text", async () => {
    await using server = await ollama();
    const { handler, calls } = observed();
    const model = new ChatOllama({ model: "absent", baseUrl: server.origin });

    await expect(model.invoke("Hi", { callbacks: [handler] })).rejects.toThrow("not found");

    expect(calls).toMatchObject([{ model: "absent", error: "HTTP_404", outputTokens: null }]);
    expect(JSON.stringify(calls)).not.toContain("not found");
  });

  test("a server that is not there is recorded as ECONNREFUSED", async () => {
    const server = await ollama();
    await server.close();
    const { handler, calls } = observed();

    await new ChatOllama({ model: "tiny", baseUrl: server.origin })
      .invoke("Hi", { callbacks: [handler] })
      .catch(() => {});

    expect(calls).toMatchObject([{ error: "ECONNREFUSED" }]);
  });

  test("a reply from LangChain's cache is left out", async () => {
    await using server = await ollama();
    const { handler, calls } = observed();
    const model = new ChatOllama({ model: "tiny", baseUrl: server.origin, cache: true });

    await model.invoke("Twice the same", { callbacks: [handler] });
    await model.invoke("Twice the same", { callbacks: [handler] });

    expect(server.requests).toHaveLength(1);
    expect(calls).toHaveLength(1);
  });

  test("an aborted call is recorded as such", async () => {
    await using server = await ollama();
    const { handler, calls } = observed();
    const model = new ChatOllama({ model: "tiny", baseUrl: server.origin });

    await model.invoke("Hi", { callbacks: [handler], signal: AbortSignal.abort() }).catch(() => {});

    expect(calls).toMatchObject([{ error: "ABORTED" }]);
  });

  test("what LangChain tells nobody is not recorded: a stream left early, events straight from a model", async () => {
    await using server = await ollama();
    const { handler, calls } = observed();
    const model = new ChatOllama({ model: "tiny", baseUrl: server.origin, callbacks: [handler] });

    for await (const _ of await model.stream("Hi")) break;
    for await (const _ of model.streamEvents("Hi"));

    expect(server.requests).toHaveLength(2);
    expect(calls).toEqual([]);
  });

  test("20 concurrent calls are 20 records", async () => {
    await using server = await ollama();
    const { handler, calls } = observed();
    const model = new ChatOllama({ model: "tiny", baseUrl: server.origin });

    await model.batch(
      Array.from({ length: 20 }, (_, i) => `Question ${i}`),
      { callbacks: [handler] },
    );

    expect(new Set(calls.map((call) => call.id)).size).toBe(20);
  });
});

test("the stream of Ollama's text model is recorded with its counts", async () => {
  await using server = await ollama();
  const { handler, calls } = observed();
  const model = new Ollama({ model: "tiny", baseUrl: server.origin, numCtx: 2048 });

  for await (const _ of await model.stream("Hi", { callbacks: [handler] }));

  expect(calls).toMatchObject([{ model: "tiny", numCtx: 2048, error: null }]);
  for (const field of ["promptTokens", "outputTokens", "loadMs", "totalMs", "timeToFirstTokenMs"] as const) {
    expect(calls[0]![field], field).toBeGreaterThan(0);
  }
});

describe("in agents and graphs", () => {
  const add = tool(({ a, b }) => `${a + b}`, {
    name: "add",
    description: "Adds",
    schema: z.object({ a: z.number(), b: z.number() }),
  });
  test("each model call of createAgent is one record, the tool call is counted", async () => {
    await using server = await ollama(
      { toolCalls: [{ name: "add", arguments: { a: 2, b: 3 } }] },
      { content: "5" },
    );
    const { handler, calls } = observed();
    const agent = createAgent({
      model: new ChatOllama({ model: "tiny", baseUrl: server.origin }),
      tools: [add],
    });

    const result = await agent.invoke({ messages: [new HumanMessage("2 + 3?")] }, { callbacks: [handler] });

    expect(result.messages.map((message) => message.type)).toEqual(["human", "ai", "tool", "ai"]);
    expect(calls.map((call) => call.toolCalls)).toEqual([1, 0]);
  });

  test.each(["messages", "updates"] as const)(
    "a graph streamed by %s is recorded once",
    async (streamMode) => {
      await using server = await ollama();
      const { handler, calls } = observed();
      const model = new ChatOllama({ model: "tiny", baseUrl: server.origin });
      const graph = new StateGraph(MessagesAnnotation)
        .addNode("ask", async (state) => ({ messages: [await model.invoke(state.messages)] }))
        .addEdge("__start__", "ask")
        .compile();

      const stream = await graph.stream(
        { messages: [new HumanMessage("Hi")] },
        { streamMode, callbacks: [handler] },
      );
      for await (const _ of stream);

      expect(calls).toMatchObject([{ model: "tiny", doneReason: "stop", toolCalls: 0 }]);
      expect(calls[0]!.outputTokens).toBeGreaterThan(0);
    },
  );

  test("a graph streamed by content blocks (v3) is recorded, on the handler's own clock", async () => {
    await using server = await ollama();
    const { handler, calls } = observed({ clock: steppingClock(5) });
    const model = new ChatOllama({ model: "tiny", baseUrl: server.origin });
    const graph = new StateGraph(MessagesAnnotation)
      .addNode("ask", async (state) => ({ messages: [await model.invoke(state.messages)] }))
      .addEdge("__start__", "ask")
      .compile();

    const stream = await graph.streamEvents(
      { messages: [new HumanMessage("Hi")] },
      { version: "v3", callbacks: [handler] },
    );
    for await (const _ of stream);

    expect(calls).toMatchObject([{ model: "tiny", loadMs: null, timeToFirstTokenMs: 5, totalMs: 10 }]);
    expect(calls[0]!.outputTokens).toBeGreaterThan(0);
  });
});

describe("on models of other providers", () => {
  test("one that tells nothing is recorded by its class and the handler's clock", async () => {
    const { handler, calls } = observed({ clock: steppingClock(50) });

    await new FakeListChatModel({ responses: ["Hello"] }).invoke("Hi", { callbacks: [handler] });

    expect(calls).toMatchObject([
      { at: "2026-01-02T03:04:05.000Z", model: "FakeListChatModel", totalMs: 50, promptTokens: null },
    ]);
  });

  test("usage and finish reason come from the message", async () => {
    const message = new AIMessage({
      content: "Hello",
      response_metadata: { finish_reason: "length", model_name: "big-1" },
      usage_metadata: {
        input_tokens: 30,
        output_tokens: 0,
        total_tokens: 30,
        input_token_details: { cache_read: 10 },
      },
    });
    const { handler, calls } = observed();

    await fakeModel()
      .respond(message)
      .invoke("Hi", { callbacks: [handler] });

    expect(calls).toMatchObject([
      { model: "big-1", promptTokens: 30, outputTokens: 0, cachedTokens: 10, doneReason: "length" },
    ]);
  });

  test("text models are recorded with the time to their first token", async () => {
    const { handler, calls } = observed({ clock: steppingClock(7) });

    for await (const _ of await new FakeStreamingLLM({ responses: ["Hello"] }).stream("Hi", {
      callbacks: [handler],
    }));

    expect(calls).toMatchObject([{ timeToFirstTokenMs: 7, totalMs: 14 }]);
  });

  test("usage comes from llmOutput where the message has none", () => {
    const { handler, calls } = observed();
    started(handler, "run");

    handler.handleLLMEnd(
      {
        generations: [[{ text: "Hello" }]],
        llmOutput: { tokenUsage: { promptTokens: 5, completionTokens: 2 } },
      },
      "run",
    );

    expect(calls).toMatchObject([{ promptTokens: 5, outputTokens: 2 }]);
  });

  test("an empty piece is not the first token, a thought or a tool call is", () => {
    const pieces = [
      new AIMessageChunk({ content: "", additional_kwargs: { reasoning_content: "hm" } }),
      new AIMessageChunk({ content: "", tool_call_chunks: [{ name: "add", args: "", index: 0 }] }),
      new AIMessageChunk({ content: "" }),
    ];
    const { handler, calls } = observed({ clock: steppingClock(1) });
    for (const [i, message] of pieces.entries()) {
      started(handler, `${i}`);
      handler.handleLLMNewToken("", undefined, `${i}`, undefined, [], {
        chunk: { text: "", message } as never,
      });
      handler.handleLLMEnd({ generations: [] }, `${i}`);
    }

    expect(calls.map((call) => call.timeToFirstTokenMs)).toEqual([1, 1, null]);
  });
});

describe("what a run tells", () => {
  const usage = (usage_metadata: object) => ({
    generations: [[{ text: "", message: new AIMessage({ content: "", usage_metadata } as never) } as never]],
  });

  test("LangChain's name for the model comes before the provider's", () => {
    const { handler, calls } = observed();
    const parameters = { invocation_params: { model: "snapshot-7" } };
    handler.handleLLMStart({} as never, [], "named", undefined, parameters, [], { ls_model_name: "big" });
    handler.handleLLMStart({} as never, [], "unnamed", undefined, parameters);
    for (const run of ["named", "unnamed"]) handler.handleLLMEnd({ generations: [] }, run);

    expect(calls).toMatchObject([{ model: "big" }, { model: "snapshot-7", serverId: "" }]);
    expect(calls[1]).not.toHaveProperty("tags");
  });

  test.each([
    { input_tokens: 0, output_tokens: 0, total_tokens: 0 },
    { input_tokens: Number.NaN, output_tokens: -1, total_tokens: 5 },
    { input_tokens: "12", output_tokens: null, total_tokens: 5 },
  ])("usage that cannot be is unknown: %o", (impossible) => {
    const { handler, calls } = observed();
    started(handler, "run");

    handler.handleLLMEnd(usage(impossible), "run");

    expect(calls).toMatchObject([{ promptTokens: null, outputTokens: null }]);
  });

  test("of content-block events the first delta is the first token", () => {
    const { handler, calls } = observed({ clock: steppingClock(1) });
    started(handler, "empty");
    handler.handleChatModelStreamEvent({ event: "message-start" } as never, "empty");
    handler.handleLLMEnd({ generations: [] }, "empty");
    started(handler, "full");
    handler.handleChatModelStreamEvent({ event: "content-block-delta" } as never, "full");
    handler.handleLLMEnd({ generations: [] }, "full");

    expect(calls.map((call) => call.timeToFirstTokenMs)).toEqual([null, 1]);
  });

  test("a copy is the same handler, so that a run ends where it started", () => {
    const { handler, calls } = observed();
    started(handler, "run");

    (handler.copy() as OptimizerCallbackHandler).handleLLMEnd({ generations: [] }, "run");

    expect(calls).toHaveLength(1);
  });
});

describe("calls that are recorded elsewhere", () => {
  test("a reply that carries its decision is left out, whole or added up from chunks", async () => {
    const { handler, calls } = observed();
    const decided = { optimizer: { id: "d-1", action: "keep" } };
    const whole = new AIMessage({ content: "Hello", response_metadata: decided });
    await fakeModel()
      .respond(whole)
      .invoke("Hi", { callbacks: [handler] });
    for await (const _ of await new FakeListChatModel({
      responses: ["Hello"],
      generationInfo: decided,
    }).stream("Hi", {
      callbacks: [handler],
    }));

    expect(calls).toEqual([]);
  });

  test("an error that the model has recorded is left out", () => {
    const { handler, calls } = observed();
    const error = new Error("refused");
    markRecorded(error);
    started(handler, "run");

    handler.handleLLMError(error, "run");

    expect(calls).toEqual([]);
  });

  test("two handlers on one store give a run the same id", async () => {
    const { store, calls } = appendedStore();
    const callbacks = [new OptimizerCallbackHandler({ store }), new OptimizerCallbackHandler({ store })];

    await new FakeListChatModel({ responses: ["Hello"] }).invoke("Hi", { callbacks });

    expect(calls).toHaveLength(2);
    expect(calls[0]!.id).toBe(calls[1]!.id);
  });
});

describe("the store", () => {
  test("may be a folder, which others of this process share, and which keeps the calls", async () => {
    const folder = await mkdtemp(join(tmpdir(), "callbacks-"));
    const handler = new OptimizerCallbackHandler({ store: folder });
    const other = new OptimizerCallbackHandler({ store: folder });

    await new FakeListChatModel({ responses: ["Hello"] }).invoke("Hi", { callbacks: [handler, other] });
    await handler.store.close();
    const reopened = new OptimizerCallbackHandler({ store: folder }).store;
    const models: string[] = [];
    for await (const call of reopened.requests()) models.push(call.model);
    await reopened.close();
    await rm(folder, { recursive: true });

    expect(other.store).toBe(handler.store);
    expect(models).toEqual(["FakeListChatModel"]);
  });

  test("may be memory only", () => {
    expect(new OptimizerCallbackHandler({ store: false }).store.abilities.durable).toBe(false);
  });

  test("cannot be something else", () => {
    expect(() => new OptimizerCallbackHandler({ store: 7 as never })).toThrow("store is of type number");
  });
});

describe("a run is not disturbed", () => {
  test.each([
    ["rejects", () => Promise.reject(new Error("disk full, prompt: secret"))],
    [
      "throws",
      () => {
        throw new Error("disk full, prompt: secret");
      },
    ],
  ])("by a store that %s: the call succeeds, with one warning in all", async (_, append) => {
    const warn = vi.fn();
    const handler = new OptimizerCallbackHandler({ store: appendedStore(append).store, logger: { warn } });
    const model = new FakeListChatModel({ responses: ["Hello"] });

    for (const question of ["1", "2", "3"]) {
      expect((await model.invoke(question, { callbacks: [handler] })).content).toBe("Hello");
    }

    expect(warn).toHaveBeenCalledTimes(1);
    expect(warn.mock.calls[0]![0]).toBe("Calls are not being recorded in test: UNKNOWN");
  });

  test("by a logger that throws", async () => {
    const logger = {
      warn: () => {
        throw new Error("no logger");
      },
    };
    const store = appendedStore(() => Promise.reject(new Error("full"))).store;
    const handler = new OptimizerCallbackHandler({ store, logger });

    const reply = await new FakeListChatModel({ responses: ["Hello"] }).invoke("Hi", {
      callbacks: [handler],
    });

    expect(reply.content).toBe("Hello");
  });

  test("by a store that never finishes writing", async () => {
    const handler = new OptimizerCallbackHandler({ store: appendedStore(() => new Promise(() => {})).store });

    const reply = await new FakeListChatModel({ responses: ["Hello"] }).invoke("Hi", {
      callbacks: [handler],
    });

    expect(reply.content).toBe("Hello");
  });

  test("by events without a start, without generations, or of odd shapes", () => {
    const { handler, calls } = observed();

    handler.handleLLMNewToken("x", undefined, "unknown");
    handler.handleLLMEnd({ generations: [] }, "unknown");
    handler.handleLLMError(undefined, "unknown");
    handler.handleLLMStart(
      undefined as never,
      [],
      "odd",
      undefined,
      null as never,
      "tag" as never,
      7 as never,
    );
    handler.handleLLMEnd({ generations: [[undefined as never]] }, "odd");

    expect(calls).toMatchObject([{ id: "odd", model: "unknown", outputTokens: null }]);
  });

  test("figures do not wait behind a slow neighbour", async () => {
    class Slow extends BaseCallbackHandler {
      name = "slow";
      override async handleLLMNewToken() {
        await new Promise((resolve) => setTimeout(resolve, 1_000));
      }
    }
    const { handler, calls } = observed();

    for await (const _ of await new FakeListChatModel({ responses: ["0123"] }).stream("Hi", {
      callbacks: [new Slow({ _awaitHandler: false }), handler],
    }));
    const recordedAtEnd = calls.length;
    await awaitAllCallbacks();

    expect(recordedAtEnd).toBe(1);
    // The neighbour takes four seconds.
    expect(calls[0]!.totalMs).toBeLessThan(3_000);
  });

  test("by memory: runs that never end are forgotten beyond 10,000, the latest are kept", () => {
    const { handler, calls } = observed();
    for (let i = 0; i < 10_001; i += 1) started(handler, `${i}`);

    for (const runId of ["0", "1", "10000"]) handler.handleLLMEnd({ generations: [] }, runId);

    expect(calls.map((call) => call.id)).toEqual(["1", "10000"]);
  });
});

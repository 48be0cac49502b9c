/** With the model that records itself, no call is counted twice, however it goes out or ends. */
import { HumanMessage } from "@langchain/core/messages";
import { MessagesAnnotation, StateGraph } from "@langchain/langgraph";
import { expect, test, vi } from "vitest";
import { OptimizerCallbackHandler } from "../../src/callbacks/optimizerCallbackHandler.js";
import { OptimizedChatOllama } from "../../src/chatModel/optimizedChatOllama.js";
import type { RequestRecord } from "../../src/records.js";
import { memoryStore } from "../../src/storage/memory.js";
import type { OptimizerStore } from "../../src/storage/store.js";
import { scriptedEngine, startOllamaServer } from "../../src/testing/index.js";

async function recorded(
  run: (model: OptimizedChatOllama) => Promise<unknown>,
  { model = "tiny", delayMs = 0 } = {},
): Promise<RequestRecord[]> {
  const engine = scriptedEngine({ reply: { content: "Hello to you", chunkDelayMs: delayMs } });
  await using server = await startOllamaServer({ engine, realTime: delayMs > 0, loadMs: 1 });
  const store = memoryStore();
  const callbacks = [new OptimizerCallbackHandler({ store })];
  await run(new OptimizedChatOllama({ model, baseUrl: server.origin, store, callbacks })).catch(() => {});
  // LangChain rejects an aborted call at once, the model and the handler see its end a little later.
  await vi.waitFor(async () => expect(await requestsOf(store)).not.toEqual([]), 10_000);
  await new Promise((resolve) => setTimeout(resolve, 20));
  return requestsOf(store);
}

async function requestsOf(store: OptimizerStore): Promise<RequestRecord[]> {
  const requests: RequestRecord[] = [];
  for await (const request of store.requests()) requests.push(request);
  return requests;
}

const graphOf = (model: OptimizedChatOllama) =>
  new StateGraph(MessagesAnnotation)
    .addNode("ask", async (state) => ({ messages: [await model.invoke(state.messages)] }))
    .addEdge("__start__", "ask")
    .compile();

async function drain(stream: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of stream);
}

const hi = { messages: [new HumanMessage("Hi")] };

test.each<[string, (model: OptimizedChatOllama) => Promise<unknown>]>([
  ["invoke", (model) => model.invoke("Hi")],
  ["stream", async (model) => drain(await model.stream("Hi"))],
  ["streamEvents v2", (model) => drain(model.streamEvents("Hi", { version: "v2" }))],
  ["streamEvents", (model) => drain(model.streamEvents("Hi") as AsyncIterable<unknown>)],
  ["a graph's messages", async (model) => drain(await graphOf(model).stream(hi, { streamMode: "messages" }))],
  ["a graph's v3 events", async (model) => drain(await graphOf(model).streamEvents(hi, { version: "v3" }))],
  ["invoke without optimizing", (model) => model.invoke("Hi", { optimize: false })],
])("%s is one record, by the model", async (_, run) => {
  expect(await recorded(run)).toMatchObject([{ source: "model", error: null }]);
});

test.each<[string, (model: OptimizedChatOllama) => Promise<unknown>]>([
  ["invoke", (model) => model.invoke("Hi")],
  ["stream", async (model) => drain(await model.stream("Hi"))],
  ["a graph's v3 events", async (model) => drain(await graphOf(model).streamEvents(hi, { version: "v3" }))],
])("%s of an absent model is one record, by the model", async (_, run) => {
  expect(await recorded(run, { model: "absent" })).toMatchObject([
    { source: "model", error: expect.any(String) },
  ]);
});

test("an abort within the reply is one record, by the model", async () => {
  const run = async (model: OptimizedChatOllama) => {
    const controller = new AbortController();
    const abort = { handleLLMNewToken: () => controller.abort() };
    await model.invoke("Hi", { signal: controller.signal, callbacks: [abort] });
  };

  expect(await recorded(run, { delayMs: 50 })).toMatchObject([{ source: "model", error: "ABORTED" }]);
});

test("a timeout is one record, whoever sees it first", async () => {
  const run = (model: OptimizedChatOllama) => model.invoke("Hi", { timeout: 50 });

  expect(await recorded(run, { delayMs: 100 })).toMatchObject([{ error: "TIMEOUT" }]);
});

test("a stream left early is one record, by the model", async () => {
  const run = async (model: OptimizedChatOllama) => {
    for await (const _ of await model.stream("Hi")) break;
  };

  expect(await recorded(run, { delayMs: 50 })).toMatchObject([{ source: "model" }]);
});

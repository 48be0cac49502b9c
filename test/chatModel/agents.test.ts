import { InMemoryCache } from "@langchain/core/caches";
import { type AIMessage, type BaseMessage, HumanMessage } from "@langchain/core/messages";
import { tool } from "@langchain/core/tools";
import { MessagesAnnotation, StateGraph } from "@langchain/langgraph";
import { createAgent, createMiddleware, modelFallbackMiddleware } from "langchain";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import type { Script } from "../../src/testing/index.js";
import { bench } from "./support.js";

const pair = z.object({ a: z.number(), b: z.number() });
const add = tool(({ a, b }) => String(a + b), { name: "add", description: "Adds", schema: pair });
const mul = tool(({ a, b }) => String(a * b), { name: "mul", description: "Multiplies", schema: pair });

/** Calls both tools at once, then tells their results. */
const calculator: Script["reply"] = ({ messages }) => {
  const results = messages.filter(({ role }) => role === "tool").map(({ content }) => content);
  if (results.length > 0) return `Results: ${results.join(", ")}`;
  return {
    toolCalls: [
      { name: "add", arguments: { a: 2, b: 3 } },
      { name: "mul", arguments: { a: 2, b: 3 } },
    ],
  };
};
const input = { messages: [new HumanMessage("2 and 3?")] };

describe("createAgent", () => {
  test("runs parallel tools and tells the decision of each call", async () => {
    await using b = await bench(calculator);
    const agent = createAgent({ model: b.model(), tools: [add, mul] });
    const { messages } = await agent.invoke(input);
    expect(messages.at(-1)!.text).toBe("Results: 5, 6");
    const replies = messages.filter((message: BaseMessage) => message.getType() === "ai");
    for (const { response_metadata } of replies)
      expect(response_metadata).toHaveProperty("optimizer.outcome");
    expect(await b.records()).toHaveLength(2);
  });

  test("a v3 stream runs all parallel tools, and the next turn knows of them", async () => {
    await using b = await bench(calculator);
    const agent = createAgent({ model: b.model(), tools: [add, mul] });
    const run = await agent.streamEvents(input, { version: "v3" });
    const { messages } = (await run.output) as { messages: BaseMessage[] };
    expect(messages.at(-1)!.text).toBe("Results: 5, 6");
    expect(
      b
        .bodies()
        .at(-1)!
        .messages.map(({ role }) => role),
    ).toEqual(["user", "assistant", "tool", "tool"]);
  });

  test("LangGraph's messages mode streams text and usage", async () => {
    await using b = await bench(calculator);
    const agent = createAgent({ model: b.model(), tools: [add, mul] });
    let text = "";
    let usages = 0;
    for await (const [message] of await agent.stream(input, { streamMode: "messages" })) {
      if (message.getType() !== "ai") continue;
      text += message.text;
      if ((message as AIMessage).usage_metadata) usages++;
    }
    expect(text).toBe("Results: 5, 6");
    expect(usages).toBe(2);
  });

  test("middleware sets the window by modelSettings", async () => {
    await using b = await bench("ok");
    const window = createMiddleware({
      name: "window",
      wrapModelCall: (request, handler) => handler({ ...request, modelSettings: { numCtx: 16_384 } }),
    });
    await createAgent({ model: b.model(), tools: [], middleware: [window] }).invoke(input);
    expect(b.bodies()[0]!.options.num_ctx).toBe(16_384);
  });

  test("the cache hits", async () => {
    await using b = await bench("ok");
    const agent = createAgent({ model: b.model({ cache: new InMemoryCache() }), tools: [add] });
    await agent.invoke(input);
    await agent.invoke(input);
    expect(b.bodies()).toHaveLength(1);
  });

  test("a fallback takes over from a model that is not there", async () => {
    await using b = await bench("ok");
    const agent = createAgent({
      model: b.model({ model: "absent" }),
      tools: [],
      middleware: [modelFallbackMiddleware(b.model())],
    });
    expect((await agent.invoke(input)).messages.at(-1)!.text).toBe("ok");
  });

  test("an aborted run rejects", async () => {
    await using b = await bench({ delayMs: 10_000 }, { realTime: true });
    const agent = createAgent({ model: b.model(), tools: [] });
    await expect(agent.invoke(input, { signal: AbortSignal.timeout(200) })).rejects.toThrow(/abort|timeout/i);
    await expect.poll(() => b.server.state().every(({ users }) => users === 0)).toBe(true);
  });
});

test("a graph's node calls the model, v2 events show its tokens", async () => {
  await using b = await bench("one two");
  const model = b.model();
  const graph = new StateGraph(MessagesAnnotation)
    .addNode("ask", async ({ messages }) => ({ messages: [await model.invoke(messages)] }))
    .addEdge("__start__", "ask")
    .compile();
  let text = "";
  for await (const { event, data } of graph.streamEvents(input, { version: "v2" })) {
    if (event === "on_chat_model_stream") text += data.chunk.text;
  }
  expect(text).toBe("one two");
});

describe("withStructuredOutput", () => {
  const joke = z.object({ setup: z.string(), punchline: z.string() });

  test("by JSON schema", async () => {
    await using b = await bench({});
    const value = await b.model().withStructuredOutput(joke).invoke("A joke");
    expect(joke.parse(value)).toEqual(value);
    expect(b.bodies()[0]!.format).toMatchObject({ type: "object" });
  });

  test("by function calling, with the raw message and its decision", async () => {
    await using b = await bench({ toolCalls: [{ name: "joke", arguments: { setup: "a", punchline: "b" } }] });
    const { parsed, raw } = await b
      .model()
      .withStructuredOutput(joke, { name: "joke", method: "functionCalling", includeRaw: true })
      .invoke("A joke");
    expect(parsed).toEqual({ setup: "a", punchline: "b" });
    expect(raw.response_metadata).toHaveProperty("optimizer.id");
  });

  test("by JSON mode", async () => {
    await using b = await bench('{"setup":"a","punchline":"b"}');
    const value = await b.model().withStructuredOutput(joke, { method: "jsonMode" }).invoke("A joke");
    expect(value).toEqual({ setup: "a", punchline: "b" });
    expect(b.bodies()[0]!.format).toBe("json");
  });
});

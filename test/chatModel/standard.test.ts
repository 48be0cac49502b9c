/** The cases of LangChain's unpublished standard tests for chat models that apply to Ollama. */
import { InMemoryCache } from "@langchain/core/caches";
import {
  AIMessage,
  AIMessageChunk,
  HumanMessage,
  SystemMessage,
  ToolMessage,
} from "@langchain/core/messages";
import { ChatPromptTemplate } from "@langchain/core/prompts";
import { RunnableLambda } from "@langchain/core/runnables";
import { tool } from "@langchain/core/tools";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { ENTRY_PATHS } from "./entryPaths.js";
import { bench } from "./support.js";

const adder = z.object({ a: z.number().int(), b: z.number().int() });
const openAiTool = {
  type: "function",
  function: {
    name: "math_addition",
    description: "Adds two integers",
    parameters: { type: "object", properties: { a: { type: "integer" }, b: { type: "integer" } } },
  },
};
const callsTheTool = { toolCalls: [{ name: "math_addition", arguments: { a: 1, b: 2 } }] };
const called = [{ name: "math_addition", args: { a: 1, b: 2 }, id: expect.any(String), type: "tool_call" }];

describe("input", () => {
  test.each([
    ["a string", "Hello"],
    ["messages", [new HumanMessage("Hello")]],
    ["tuples", [["human", "Hello"]] as [string, string][]],
    ["plain objects", [{ role: "user", content: "Hello" }]],
  ])("takes %s", async (_, input) => {
    await using b = await bench();
    expect(await b.model().invoke(input as never)).toBeInstanceOf(AIMessage);
    expect(b.bodies()[0]!.messages).toEqual([{ role: "user", content: "Hello" }]);
  });

  test("takes a conversation, also two user messages in a row", async () => {
    await using b = await bench();
    await b
      .model()
      .invoke([
        new SystemMessage("Be brief."),
        new HumanMessage("hello"),
        new AIMessage("hello"),
        new HumanMessage("how are you"),
        new HumanMessage("and your friend?"),
      ]);
    expect(b.bodies()[0]!.messages.map(({ role }) => role)).toEqual([
      "system",
      "user",
      "assistant",
      "user",
      "user",
    ]);
  });

  test.each([
    ["a string", "", "ok"],
    [
      "content blocks",
      [
        { type: "text", text: "I use a tool." },
        { type: "tool_use", id: "1", name: "math_addition", input: {} },
      ],
      [{ type: "text", text: "3" }],
    ],
  ])("takes a history of tool calls and results as %s", async (_, content, result) => {
    await using b = await bench();
    const call = { id: "1", name: "math_addition", args: { a: 1, b: 2 } };
    await b
      .model()
      .bindTools([openAiTool])
      .invoke([
        new HumanMessage("1 + 2?"),
        new AIMessage({ content: content as never, tool_calls: [call] }),
        new ToolMessage({ tool_call_id: "1", name: "math_addition", content: result as never }),
      ]);
    const [, assistant, answer] = b.bodies()[0]!.messages;
    expect(assistant).toMatchObject({
      tool_calls: [{ function: { name: "math_addition", arguments: { a: 1, b: 2 } } }],
    });
    expect(answer!.content).toMatch(/ok|3/);
  });

  test("a chat prompt pipes into it", async () => {
    await using b = await bench();
    const prompt = ChatPromptTemplate.fromMessages([
      ["system", "You are {who}."],
      ["human", "{question}"],
    ]);
    await prompt.pipe(b.model()).invoke({ who: "a cook", question: "Soup?" });
    expect(b.bodies()[0]!.messages).toEqual([
      { role: "system", content: "You are a cook." },
      { role: "user", content: "Soup?" },
    ]);
  });
});

describe("output", () => {
  test("streams chunks of text, the last one with the usage", async () => {
    await using b = await bench("one two three");
    const chunks: AIMessageChunk[] = [];
    for await (const chunk of await b.model().stream("a")) chunks.push(chunk);
    expect(chunks.length).toBeGreaterThan(3);
    expect(chunks.every((chunk) => chunk instanceof AIMessageChunk)).toBe(true);
    expect(chunks.filter((chunk) => chunk.usage_metadata)).toEqual([chunks.at(-1)]);
  });

  test("usage adds up", async () => {
    await using b = await bench("one two three");
    const { usage_metadata: usage } = await b.model().invoke("a");
    expect(usage!.total_tokens).toBe(usage!.input_tokens + usage!.output_tokens);
  });

  test("a batch gives as many replies, in order", async () => {
    await using b = await bench(({ messages }) => messages[0]!.content ?? "");
    const inputs = ["a", "b", "c", "d"];
    expect((await b.model().batch(inputs)).map(({ text }) => text)).toEqual(inputs);
  });

  test("stop sequences of a call reach the server", async () => {
    await using b = await bench("one STOP two");
    expect((await b.model().invoke("a", { stop: ["STOP"] })).text).not.toContain("two");
  });

  test("output version v1 gives content blocks", async () => {
    await using b = await bench("hi");
    expect((await b.model({ outputVersion: "v1" }).invoke("a")).content).toEqual([
      { type: "text", text: "hi" },
    ]);
  });

  test("a cached reply is a message, with its usage zeroed", async () => {
    await using b = await bench("hi");
    const model = b.model({ cache: new InMemoryCache() });
    const input = [
      new HumanMessage({
        content: [
          { type: "text", text: "a" },
          { type: "text", text: "b" },
        ],
      }),
    ];
    const [first, second] = [await model.invoke(input), await model.invoke(input)];
    expect(second.content).toBe(first.content);
    expect(second.usage_metadata).toMatchObject({ total_tokens: 0 });
    expect(b.bodies()).toHaveLength(1);
  });
});

describe("tools", () => {
  const structured = tool(({ a, b }) => a + b, { name: "math_addition", description: "Adds", schema: adder });
  const runnable = RunnableLambda.from<z.infer<typeof adder>, number>(({ a, b }) => a + b).asTool({
    name: "math_addition",
    description: "Adds",
    schema: adder,
  });

  test.each([
    ["structured tools", structured],
    ["OpenAI's format", openAiTool],
    ["runnables", runnable],
  ])("binds %s, and their calls come back whole", async (_, bound) => {
    await using b = await bench(callsTheTool);
    const model = b.model().bindTools([bound as typeof structured]);
    expect((await model.invoke("1 + 2?")).tool_calls).toEqual(called);
    let streamed: AIMessageChunk | undefined;
    for await (const chunk of await model.stream("1 + 2?"))
      streamed = streamed ? streamed.concat(chunk) : chunk;
    expect(streamed!.tool_calls).toEqual(called);
    expect(b.bodies()[0]!.tools).toMatchObject([{ type: "function", function: { name: "math_addition" } }]);
  });
});

describe("an aborted signal", () => {
  test.each(ENTRY_PATHS)("$name rejects, and nothing is sent", async ({ reply }) => {
    await using b = await bench();
    await expect(reply(b.model(), { signal: AbortSignal.abort() })).rejects.toThrow(/abort/i);
    expect(b.bodies()).toEqual([]);
  });
});

/**
 * Two tool calls in one reply of a real model: examples in the conversation lead it to make both.
 *
 *   node scripts/ollama/serve.mjs -- npx vitest run --config vitest.live.config.ts test/live/toolCalls.live.test.ts
 */
import { AIMessage, type BaseMessage, HumanMessage, ToolMessage } from "@langchain/core/messages";
import { tool } from "@langchain/core/tools";
import { createAgent } from "langchain";
import { expect, test } from "vitest";
import { z } from "zod";
import type { OptimizedChatOllama } from "../../src/index.js";
import { decisionOf, onEachOllama, smallChat } from "./ollama.js";

const answered: string[] = [];
const about = (name: string, milliseconds: number) =>
  tool(
    async ({ city }) => {
      await new Promise((resolve) => setTimeout(resolve, milliseconds));
      answered.push(name);
      return `the ${name} of ${city}`;
    },
    { name, description: `The ${name} of a city`, schema: z.object({ city: z.string() }) },
  );
const tools = [about("weather", 50), about("population", 0)];

const question = (city: string) => new HumanMessage(`Weather and population of ${city}?`);

/** One question with both calls, their results and an answer. */
function example(city: string): BaseMessage[] {
  const calls = ["weather", "population"].map((name) => ({ id: `${name} ${city}`, name, args: { city } }));
  const [weather, population] = calls.map(({ id }) => id) as [string, string];
  return [
    question(city),
    new AIMessage({ content: "", tool_calls: calls }),
    new ToolMessage({ tool_call_id: weather, content: "Sunny" }),
    new ToolMessage({ tool_call_id: population, content: "2 million" }),
    new AIMessage(`In ${city} it is sunny, with 2 million people.`),
  ];
}
const examples = ["Rome", "Oslo", "Madrid"].flatMap(example);
const paris = [...examples, question("Paris")];

type Reply = Pick<AIMessage, "tool_calls" | "response_metadata">;
type Bound = ReturnType<OptimizedChatOllama["bindTools"]>;

const WAYS: readonly (readonly [string, (model: Bound, own: OptimizedChatOllama) => Promise<Reply>])[] = [
  ["invoke", (model) => model.invoke(paris)],
  [
    "stream",
    async (model) => {
      let whole: Awaited<ReturnType<Bound["invoke"]>> | undefined;
      for await (const chunk of await model.stream(paris)) whole = whole ? whole.concat(chunk) : chunk;
      return whole!;
    },
  ],
  [
    "streamEvents v2",
    async (model) => {
      let output: Reply | undefined;
      for await (const { event, data } of model.streamEvents(paris, { version: "v2" }))
        if (event === "on_chat_model_end") output = data.output;
      return output!;
    },
  ],
  ["streamEvents, native", async (_, own) => own.streamEvents(paris, { tools })],
  ["batch", async (model) => (await model.batch([paris, paris]))[1]!],
];

onEachOllama((origin) => {
  const chat = () =>
    smallChat(origin, { model: "smollm2-tools", numPredict: 60, optimizer: { minimumWindow: 2_048 } });

  test.each(WAYS)("%s: both calls arrive in order, with ids of their own", async (_, reply) => {
    const model = chat();
    const message = await reply(model.bindTools(tools) as Bound, model);
    expect(message.tool_calls!.map(({ name, args }) => [name, args])).toEqual([
      ["weather", { city: "Paris" }],
      ["population", { city: "Paris" }],
    ]);
    expect(new Set(message.tool_calls!.map(({ id }) => id)).size).toBe(2);
    expect(message.tool_calls!.every(({ id }) => id)).toBe(true);
    expect(decisionOf(message).outcome).toMatchObject({ cut: false, error: null });
  });

  test("an agent runs both tools, and each result is of its call", async () => {
    answered.length = 0;
    const agent = createAgent({ model: chat(), tools });
    let seen: BaseMessage[] = [];
    // What so small a model says to the results is another matter.
    for await (const { messages } of await agent.stream(
      { messages: paris },
      { streamMode: "values", recursionLimit: 6 },
    )) {
      seen = messages.slice(paris.length);
      if (seen.length >= 3) break;
    }
    const { tool_calls: calls } = seen[0] as AIMessage;
    expect(answered).toEqual(["population", "weather"]);
    expect(seen.slice(1, 3).map((message) => (message as ToolMessage).tool_call_id)).toEqual(
      calls!.map(({ id }) => id),
    );
    expect(seen.slice(1, 3).map(({ text }) => text)).toEqual([
      "the weather of Paris",
      "the population of Paris",
    ]);
  });

  test("results are counted exactly with their names, in whatever order they came", async () => {
    const model = chat();
    const calls = ["weather", "population"].map((name) => ({ id: name, name, args: { city: "Bern" } }));
    const results = ["population", "weather"].map((id) => new ToolMessage({ tool_call_id: id, content: id }));
    const messages = [
      ...examples,
      question("Bern"),
      new AIMessage({ content: "", tool_calls: calls }),
      ...results,
    ];
    const counted = async () => {
      const { usage_metadata } = await model.invoke(messages, { tools });
      const { tokens, source } = await model.countTokens(messages, { tools });
      return source === "exact" ? tokens - usage_metadata!.input_tokens : source;
    };
    await expect.poll(counted, { timeout: 60_000, interval: 300 }).toBe(0);
  });
});

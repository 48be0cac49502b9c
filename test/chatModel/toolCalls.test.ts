import { AIMessage, type BaseMessage, HumanMessage, ToolMessage } from "@langchain/core/messages";
import { tool } from "@langchain/core/tools";
import { createAgent } from "langchain";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import type { Script } from "../../src/testing/index.js";
import { ENTRY_PATHS } from "./entryPaths.js";
import { bench } from "./support.js";

const city = z.object({ city: z.string() });
const named = (name: string) => ({
  type: "function" as const,
  function: { name, description: `The ${name} of a city`, parameters: { type: "object", properties: {} } },
});
const tools = [named("weather"), named("population")];
const call = (name: string, of: string) => ({ name, arguments: { city: of } });

/** Two calls in each of two rounds, one of them twice the same, then an answer. */
const rounds: Script["reply"] = ({ messages }) => {
  const results = messages.filter(({ role }) => role === "tool").length;
  if (results === 0) return { toolCalls: [call("weather", "Rome"), call("population", "Rome")] };
  if (results === 2) return { content: "And", toolCalls: [call("weather", "Oslo"), call("weather", "Oslo")] };
  return "Done.";
};

const idsOf = (message: Pick<AIMessage, "tool_calls">) => message.tool_calls!.map(({ id }) => id!);
const asked = ({ tool_calls }: Pick<AIMessage, "tool_calls">) =>
  tool_calls!.map(({ name, args }) => [name, args.city]);
const results = (ids: readonly string[], contents: readonly string[]) =>
  ids.map((id, index) => new ToolMessage({ tool_call_id: id, content: contents[index]! }));

describe.each(ENTRY_PATHS)("$name", ({ reply }) => {
  test("two tool calls in one reply keep their order and have ids of their own, text or not", async () => {
    await using b = await bench(({ messages }) => ({
      content: messages.at(-1)!.content === "talk" ? "Let me look." : undefined,
      toolCalls: [call("weather", "Rome"), call("weather", "Rome"), call("population", "Rome")],
    }));
    const model = b.model();
    const [silent, talking] = [await reply(model, { tools }), await reply(model, { tools }, "talk")];
    for (const message of [silent, talking]) {
      expect(asked(message)).toEqual([
        ["weather", "Rome"],
        ["weather", "Rome"],
        ["population", "Rome"],
      ]);
    }
    expect([silent.text, talking.text]).toEqual(["", "Let me look."]);
    expect(new Set([...idsOf(silent), ...idsOf(talking)]).size).toBe(6);
    expect((await b.records()).map(({ toolCalls }) => toolCalls)).toEqual([3, 3]);
  });
});

test("batch: each reply has its own calls", async () => {
  await using b = await bench(({ messages }) => ({
    toolCalls: ["weather", "population"].map((name) => call(name, String(messages.at(-1)!.content))),
  }));
  const cities = ["Rome", "Oslo", "Bern"];
  const replies = await b.model().batch(cities, { tools } as never);
  expect(replies.map(asked)).toEqual(
    cities.map((of) => [
      ["weather", of],
      ["population", of],
    ]),
  );
  expect(new Set(replies.flatMap(idsOf)).size).toBe(6);
});

describe("results", () => {
  const question = new HumanMessage("Rome?");
  const asking = new AIMessage({
    content: "",
    tool_calls: [
      { id: "w", name: "weather", args: { city: "Rome" } },
      { id: "p", name: "population", args: { city: "Rome" } },
    ],
  });
  const sent = async (...messages: BaseMessage[]) => {
    await using b = await bench();
    await b.model().invoke([question, ...messages], { tools } as never);
    return b.bodies()[0]!.messages as unknown as Record<string, unknown>[];
  };

  test("are told with the tool and the call that they are of", async () => {
    const wire = await sent(asking, ...results(["w", "p"], ["Sunny", "3 million"]));
    expect(wire.slice(2)).toEqual([
      { role: "tool", content: "Sunny", tool_name: "weather", tool_call_id: "w" },
      { role: "tool", content: "3 million", tool_name: "population", tool_call_id: "p" },
    ]);
    expect((wire[1]!.tool_calls as { id: string }[]).map(({ id }) => id)).toEqual(["w", "p"]);
  });

  test("come in the order of the calls: some models know them by nothing else", async () => {
    const wire = await sent(asking, ...results(["p", "w"], ["3 million", "Sunny"]), new HumanMessage("So?"));
    expect(wire.slice(2).map(({ content }) => content)).toEqual(["Sunny", "3 million", "So?"]);
  });

  test("of a call that is not there keep the name that they have, and their place", async () => {
    const lost = new ToolMessage({ tool_call_id: "x", name: "clock", content: "noon" });
    expect((await sent(lost, ...results(["p"], ["3 million"]))).slice(1)).toEqual([
      { role: "tool", content: "noon", tool_name: "clock", tool_call_id: "x" },
      { role: "tool", content: "3 million", tool_call_id: "p" },
    ]);
  });

  test("are counted as they are sent", async () => {
    await using b = await bench();
    const model = b.model();
    const messages = [question, asking, ...results(["w", "p"], ["Sunny", "3 million"])];
    const { tokens } = await model.countTokens(messages, { tools } as never);
    const { usage_metadata } = await model.invoke(messages, { tools } as never);
    expect(tokens).toBeGreaterThanOrEqual(usage_metadata!.input_tokens);
  });
});

describe("createAgent", () => {
  const finished: string[] = [];
  const waiting = (name: string, milliseconds: number) =>
    tool(
      async ({ city: of }) => {
        await new Promise((resolve) => setTimeout(resolve, milliseconds));
        finished.push(name);
        return `${name} of ${of}`;
      },
      { name, description: `The ${name} of a city`, schema: city },
    );
  const agentOf = (model: ReturnType<Awaited<ReturnType<typeof bench>>["model"]>) =>
    createAgent({ model, tools: [waiting("weather", 60), waiting("population", 1)] });
  const input = { messages: [new HumanMessage("Rome and Oslo?")] };

  test.each([
    ["invoke", (agent: ReturnType<typeof agentOf>) => agent.invoke(input)],
    [
      "stream",
      async (agent: ReturnType<typeof agentOf>) => {
        let last: { messages: BaseMessage[] } = { messages: [] };
        for await (const state of await agent.stream(input, { streamMode: "values" })) last = state as never;
        return last;
      },
    ],
    [
      "streamEvents v2",
      async (agent: ReturnType<typeof agentOf>) => {
        let last: { messages: BaseMessage[] } = { messages: [] };
        for await (const { event, data } of agent.streamEvents(input, { version: "v2" })) {
          if (event === "on_chain_end" && Array.isArray(data.output?.messages)) {
            if (data.output.messages.length > last.messages.length) last = data.output;
          }
        }
        return last;
      },
    ],
    [
      "a v3 stream",
      async (agent: ReturnType<typeof agentOf>) =>
        (await (
          await agent.streamEvents(input, { version: "v3" })
        ).output) as { messages: BaseMessage[] },
    ],
    [
      "two at once",
      async (agent: ReturnType<typeof agentOf>) =>
        (await Promise.all([agent.invoke(input), agent.invoke(input)]))[1],
    ],
  ] as const)("%s: every result is of its own call, though a later one ends first", async (_, run) => {
    await using b = await bench(rounds);
    finished.length = 0;
    const { messages } = await run(agentOf(b.model()));
    expect(finished[0]).toBe("population");
    const calls = messages.flatMap((message) => (message as AIMessage).tool_calls ?? []);
    expect(new Set(calls.map(({ id }) => id)).size).toBe(4);
    const told = messages.filter((message) => message.getType() === "tool") as ToolMessage[];
    expect(told.map(({ tool_call_id }) => tool_call_id)).toEqual(calls.map(({ id }) => id));
    expect(told.map(({ content }) => content)).toEqual(
      calls.map(({ name, args }) => `${name} of ${args.city}`),
    );
    const wire = b.bodies().at(-1)!.messages as unknown as Record<string, unknown>[];
    expect(wire.filter(({ role }) => role === "tool").map((message) => message.tool_name)).toEqual(
      calls.map(({ name }) => name),
    );
    expect(messages.at(-1)!.text).toBe("Done.");
  });
});

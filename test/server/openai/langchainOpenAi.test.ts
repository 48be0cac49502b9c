/** LangChain's own ChatOpenAI and its embeddings, pointed at this server. */
import { ContextOverflowError } from "@langchain/core/errors";
import { tool } from "@langchain/core/tools";
import { ChatOpenAI, OpenAIEmbeddings } from "@langchain/openai";
import { createAgent } from "langchain";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import type { Script } from "../../../src/testing/index.js";
import { openAiPair, words } from "./support.js";

const City = z.object({ city: z.string() });
const weather = tool(({ city }) => `sunny in ${city}`, {
  name: "weather",
  description: "The weather of a city",
  schema: City,
});

async function opened(reply?: Script["reply"], fields: object = {}) {
  const servers = await openAiPair(reply);
  const { origin } = await servers.listen();
  const configuration = { baseURL: `${origin}/v1` };
  const chat = new ChatOpenAI({ model: "tiny", apiKey: "unused", maxRetries: 0, configuration, ...fields });
  const embeddings = new OpenAIEmbeddings({ model: "vectors", apiKey: "unused", configuration });
  return Object.assign(servers, { chat, embeddings });
}

describe.each([
  ["chat completions", {}],
  ["responses", { useResponsesApi: true }],
])("ChatOpenAI on %s", (_, fields) => {
  test("answers, whole and streamed, with usage", async () => {
    await using servers = await opened("It is forty two", fields);
    const whole = await servers.chat.invoke("Hi");
    expect(whole.text).toBe("It is forty two");
    expect(whole.usage_metadata!.input_tokens).toBeGreaterThan(0);
    let streamed = "";
    let tokens = 0;
    for await (const chunk of await servers.chat.stream("Hi")) {
      streamed += chunk.text;
      tokens += chunk.usage_metadata?.output_tokens ?? 0;
    }
    expect(streamed).toBe("It is forty two");
    expect(tokens).toBe(whole.usage_metadata!.output_tokens);
  });

  test("calls tools, whole and streamed", async () => {
    await using servers = await opened(undefined, fields);
    const bound = servers.chat.bindTools([weather]);
    const expected = [
      { name: "weather", args: { city: "Paris" } },
      { name: "weather", args: { city: "Rome" } },
    ];
    expect((await bound.invoke("Paris and Rome?")).tool_calls).toMatchObject(expected);
    const chunks = [];
    for await (const chunk of await bound.stream("Paris and Rome?")) chunks.push(chunk);
    expect(chunks.reduce((all, next) => all.concat(next)).tool_calls).toMatchObject(expected);
  });

  test.each(["jsonSchema", "functionCalling"] as const)("structures its output by %s", async (method) => {
    await using servers = await opened({ content: '{"city":"Oslo"}' }, fields);
    const structured = servers.chat.withStructuredOutput(City, { name: "city", method });
    expect(await structured.invoke("Which city?")).toEqual({ city: "Oslo" });
  });

  test("works as the model of an agent with tools", async () => {
    await using servers = await opened(undefined, fields);
    const agent = createAgent({ model: servers.chat, tools: [weather] });
    const { messages } = await agent.invoke({ messages: [{ role: "user", content: "Paris and Rome?" }] });
    expect(messages.at(-1)!.text).toBe("The tools say: sunny in Paris, sunny in Rome");
    expect(messages.filter((message) => message.getType() === "tool")).toHaveLength(2);
  });

  test("sees a prompt that is too long as LangChain's own error", async () => {
    await using servers = await opened(undefined, fields);
    await expect(servers.chat.invoke(words(40_000))).rejects.toSatisfy(ContextOverflowError.isInstance);
  });
});

test("ChatOpenAI keeps the reasoning", async () => {
  await using servers = await opened({ thinking: "Let me see", content: "42" }, { model: "thinker" });
  expect((await servers.chat.invoke("Hi")).additional_kwargs.reasoning_content).toBe("Let me see");
});

test("OpenAIEmbeddings embeds", async () => {
  await using servers = await opened();
  const vectors = await servers.embeddings.embedDocuments(["one", "two"]);
  expect(vectors.map(({ length }) => length)).toEqual([256, 256]);
});

/** The Vercel AI SDK with its provider for OpenAI-compatible servers, pointed at this server. */
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { APICallError, embedMany, generateText, Output, stepCountIs, streamText, tool } from "ai";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import type { Script } from "../../../src/testing/index.js";
import { openAiPair, words } from "./support.js";

const City = z.object({ city: z.string() });
const tools = {
  weather: tool({
    description: "The weather of a city",
    inputSchema: City,
    execute: async ({ city }) => `sunny in ${city}`,
  }),
};

async function opened(reply?: Script["reply"]) {
  const servers = await openAiPair(reply);
  const { origin } = await servers.listen();
  const provider = createOpenAICompatible({
    name: "optimizer",
    baseURL: `${origin}/v1`,
    includeUsage: true,
    supportsStructuredOutputs: true,
  });
  return Object.assign(servers, { provider });
}

describe("the AI SDK", () => {
  test("generates text with its reasoning and usage", async () => {
    await using servers = await opened({ thinking: "Let me see", content: "42" });
    const { text, reasoningText, finishReason, usage } = await generateText({
      model: servers.provider("thinker"),
      prompt: "Hi",
    });
    expect([text, reasoningText, finishReason]).toEqual(["42", "Let me see", "stop"]);
    expect(usage.inputTokens).toBeGreaterThan(0);
  });

  test("streams text with its reasoning and usage", async () => {
    await using servers = await opened({ thinking: "Let me see", content: "It is 42" });
    const result = streamText({ model: servers.provider("thinker"), prompt: "Hi" });
    let text = "";
    for await (const part of result.textStream) text += part;
    expect(text).toBe("It is 42");
    expect(await result.reasoningText).toBe("Let me see");
    expect((await result.usage).outputTokens).toBeGreaterThan(0);
    expect(await result.finishReason).toBe("stop");
  });

  test("calls tools in several steps, generated and streamed", async () => {
    await using servers = await opened();
    const call = {
      model: servers.provider("tiny"),
      prompt: "Paris and Rome?",
      tools,
      stopWhen: stepCountIs(3),
    };
    const said = "The tools say: sunny in Paris, sunny in Rome";
    const { text, steps } = await generateText(call);
    expect(text).toBe(said);
    expect(steps[0]!.toolCalls.map(({ input }) => input)).toEqual([{ city: "Paris" }, { city: "Rome" }]);
    const streamed = streamText(call);
    let last = "";
    for await (const part of streamed.fullStream) if (part.type === "text-delta") last += part.text;
    expect(last).toBe(said);
  });

  test("calls a tool because it must", async () => {
    await using servers = await opened({ content: '{"city":"Oslo"}' });
    const { toolCalls } = await generateText({
      model: servers.provider("tiny"),
      prompt: "Hi",
      tools,
      toolChoice: "required",
    });
    expect(toolCalls).toMatchObject([{ toolName: "weather", input: { city: "Oslo" } }]);
  });

  test("makes objects by a schema", async () => {
    await using servers = await opened({ content: '{"city":"Oslo"}' });
    const { output } = await generateText({
      model: servers.provider("tiny"),
      prompt: "Which city?",
      output: Output.object({ schema: City }),
    });
    expect(output).toEqual({ city: "Oslo" });
  });

  test("completes and embeds", async () => {
    await using servers = await opened();
    const { text } = await generateText({ model: servers.provider.completionModel("tiny"), prompt: "Hi" });
    expect(text).toBe("Hello there");
    const { embeddings } = await embedMany({
      model: servers.provider.embeddingModel("vectors"),
      values: ["one", "two"],
    });
    expect(embeddings.map(({ length }) => length)).toEqual([256, 256]);
  });

  test("tells what is wrong in the server's words", async () => {
    await using servers = await opened();
    const failed = generateText({ model: servers.provider("tiny"), prompt: words(40_000), maxRetries: 0 });
    await expect(failed).rejects.toSatisfy(APICallError.isInstance);
    await expect(failed).rejects.toMatchObject({ statusCode: 400, message: expect.stringMatching(/tokens/) });
  });
});

/** OpenAI's own client for JavaScript, pointed at this server. */
import OpenAI, { APIError, AuthenticationError, BadRequestError, NotFoundError } from "openai";
import { zodResponseFormat, zodTextFormat } from "openai/helpers/zod";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import type { ServerAppOptions } from "../../../src/server/index.js";
import type { Script } from "../../../src/testing/index.js";
import { openAiPair, user, WEATHER, words } from "./support.js";

const City = z.object({ city: z.string(), inhabitants: z.number().int() });

async function opened(reply?: Script["reply"], options: Partial<ServerAppOptions> = {}) {
  const servers = await openAiPair(reply, {}, options);
  const { origin } = await servers.listen();
  const client = new OpenAI({ baseURL: `${origin}/v1`, apiKey: options.token ?? "unused", maxRetries: 0 });
  return Object.assign(servers, { client });
}

describe("the openai client", () => {
  test("chats, and reads the decision from the headers", async () => {
    await using servers = await opened();
    const { data, response } = await servers.client.chat.completions
      .create({ model: "tiny", messages: [{ role: "user", content: "Hi" }] })
      .withResponse();
    expect(data.choices[0]!.message.content).toBe("Hello there");
    expect(data.usage!.total_tokens).toBe(data.usage!.prompt_tokens + data.usage!.completion_tokens);
    expect(response.headers.get("x-optimizer-num-ctx")).not.toBeNull();
  });

  test("its stream helper puts a completion together, with usage", async () => {
    await using servers = await opened("It is forty two");
    const stream = servers.client.chat.completions.stream({
      model: "tiny",
      messages: [{ role: "user", content: "Hi" }],
      stream_options: { include_usage: true },
    });
    let seen = "";
    stream.on("content", (delta) => {
      seen += delta;
    });
    const whole = await stream.finalChatCompletion();
    expect(seen).toBe("It is forty two");
    expect(whole.choices[0]!.message.content).toBe(seen);
    expect(whole.choices[0]!.finish_reason).toBe("stop");
    expect((await stream.totalUsage()).completion_tokens).toBeGreaterThan(0);
  });

  test.each([false, true])(
    "its tool runner calls functions and ends with text (streamed: %s)",
    async (stream) => {
      await using servers = await opened();
      const asked: string[] = [];
      const tools = [
        {
          type: "function" as const,
          function: {
            ...WEATHER.function,
            parameters: { ...WEATHER.function.parameters, required: ["city"] },
            parse: (text: string) => JSON.parse(text) as { city: string },
            function: ({ city }: { city: string }) => {
              asked.push(city);
              return `sunny in ${city}`;
            },
          },
        },
      ];
      const messages = [{ role: "user" as const, content: "Paris and Rome?" }];
      const body = { model: "tiny", messages, tools };
      const { completions } = servers.client.chat;
      const runner = stream ? completions.runTools({ ...body, stream }) : completions.runTools(body);
      expect(await runner.finalContent()).toBe("The tools say: sunny in Paris, sunny in Rome");
      expect(asked).toEqual(["Paris", "Rome"]);
    },
  );

  test("parses answers by a zod schema, of chat and of responses", async () => {
    await using servers = await opened({ content: '{"city":"Oslo","inhabitants":700000}' });
    const { chat, responses } = servers.client;
    const completion = await chat.completions.parse({
      model: "tiny",
      messages: [{ role: "user", content: "Which city?" }],
      response_format: zodResponseFormat(City, "city"),
    });
    expect(completion.choices[0]!.message.parsed).toEqual({ city: "Oslo", inhabitants: 700_000 });
    const response = await responses.parse({
      model: "tiny",
      input: "Which city?",
      text: { format: zodTextFormat(City, "city") },
    });
    expect(response.output_parsed).toEqual({ city: "Oslo", inhabitants: 700_000 });
  });

  test("embeds, in its default base64 as in numbers", async () => {
    await using servers = await opened();
    const call = { model: "vectors", input: ["one", "two"] };
    const packed = await servers.client.embeddings.create(call);
    const plain = await servers.client.embeddings.create({ ...call, encoding_format: "float" });
    expect(packed.data.map(({ embedding }) => embedding)).toEqual(
      plain.data.map(({ embedding }) => embedding),
    );
  });

  test("lists and finds models; completes text", async () => {
    await using servers = await opened();
    const ids: string[] = [];
    for await (const { id } of servers.client.models.list()) ids.push(id);
    expect(ids).toContain("tiny:latest");
    expect((await servers.client.models.retrieve("tiny:latest")).id).toBe("tiny:latest");
    const completion = await servers.client.completions.create({ model: "tiny", prompt: "Hi" });
    expect(completion.choices[0]!.text).toBe("Hello there");
  });

  test("makes responses, whole and streamed, with calls of functions sent back", async () => {
    await using servers = await opened();
    const { responses } = servers.client;
    const { name, description, parameters } = WEATHER.function;
    const tools = [
      { type: "function" as const, name, description, parameters: { ...parameters }, strict: false },
    ];
    const first = await responses.create({ model: "tiny", input: "Paris?", tools });
    const [call] = first.output;
    if (call?.type !== "function_call") throw new Error("no call");
    expect(JSON.parse(call.arguments)).toEqual({ city: "Paris" });
    const stream = responses.stream({
      model: "tiny",
      input: [
        { role: "user", content: "Paris?" },
        ...first.output,
        { type: "function_call_output", call_id: call.call_id, output: "sunny" },
      ] as OpenAI.Responses.ResponseInput,
      tools,
    });
    const types = new Set<string>();
    for await (const { type } of stream) types.add(type);
    const final = await stream.finalResponse();
    expect(final.output_text).toBe("The tools say: sunny");
    expect(final.usage!.output_tokens).toBeGreaterThan(0);
    expect([...types]).toEqual(expect.arrayContaining(["response.created", "response.completed"]));
  });

  test("counts the tokens of a response before it is made", async () => {
    await using servers = await opened();
    const { responses } = servers.client;
    const call = { model: "tiny", instructions: "Be brief", input: words(100) };
    // The template is learned from the first calls.
    const { usage } = await responses.create(call);
    await expect
      .poll(async () => (await responses.inputTokens.count(call)).input_tokens, { timeout: 5_000 })
      .toBe(usage!.input_tokens);
    await expect(responses.inputTokens.count({ ...call, model: "absent" })).rejects.toThrow(NotFoundError);
  });

  test("throws its own errors", async () => {
    await using servers = await opened(agentThatFails, { token: "right" });
    const { client } = servers;
    const ask = (content: string, model = "tiny") =>
      client.chat.completions.create({ model, messages: [{ role: "user", content }] });
    const wrongKey = client.withOptions({ apiKey: "wrong" });
    await expect(wrongKey.models.list()).rejects.toThrow(AuthenticationError);
    await expect(wrongKey.models.list()).rejects.toMatchObject({ code: "invalid_api_key" });
    await expect(ask("Hi", "absent")).rejects.toThrow(NotFoundError);
    await expect(ask(words(40_000))).rejects.toThrow(BadRequestError);
    await expect(ask(words(40_000))).rejects.toMatchObject({ code: "context_length_exceeded" });
    const stream = await client.chat.completions.create({
      model: "tiny",
      messages: user("fail") as [{ role: "user"; content: string }],
      stream: true,
    });
    const read = async (): Promise<void> => {
      for await (const _ of stream);
    };
    await expect(read()).rejects.toThrow(APIError);
  });

  test("an abort stops the server", async () => {
    await using servers = await opened({ outputTokens: 100_000, chunkDelayMs: 5 });
    const stream = await servers.client.chat.completions.create({
      model: "tiny",
      messages: [{ role: "user", content: "Hi" }],
      stream: true,
    });
    for await (const _ of stream) break;
    await expect
      .poll(() => servers.ollama.requests.some(({ aborted }) => aborted), { timeout: 5_000 })
      .toBe(true);
  });
});

const agentThatFails: Script["reply"] = ({ messages }) =>
  messages.at(-1)?.content === "fail"
    ? { content: "one two three", error: { message: "boom", afterTokens: 1 } }
    : "Hello";

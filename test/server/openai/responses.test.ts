import { describe, expect, test } from "vitest";
import { calls, eventsOf, json, openAiPair, words } from "./support.js";

const PATH = "/v1/responses";
const WEATHER = {
  type: "function",
  name: "weather",
  description: "The weather of a city",
  parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
  strict: true,
};

interface Event {
  readonly type: string;
  readonly sequence_number: number;
  readonly output_index?: number;
  readonly item_id?: string;
  readonly delta?: string;
  readonly item?: { readonly id: string; readonly type: string };
  readonly response?: { readonly id: string; readonly status: string; readonly output: readonly unknown[] };
}

describe("a response", () => {
  test("has OpenAI's fields, repeats what was asked, and carries the decision in its headers", async () => {
    await using servers = await openAiPair();
    const reply = await servers.post(PATH, {
      model: "tiny",
      input: "Hi",
      instructions: "Be brief",
      max_output_tokens: 50,
      temperature: 0.5,
      metadata: { a: "b" },
    });
    expect(reply.headers.get("x-optimizer-num-ctx")).not.toBeNull();
    expect(await json(reply)).toMatchObject({
      id: expect.stringMatching(/^resp_/),
      object: "response",
      status: "completed",
      model: "tiny",
      error: null,
      incomplete_details: null,
      instructions: "Be brief",
      max_output_tokens: 50,
      metadata: { a: "b" },
      previous_response_id: null,
      store: false,
      temperature: 0.5,
      tools: [],
      tool_choice: "auto",
      output: [
        {
          id: expect.stringMatching(/^msg_/),
          type: "message",
          role: "assistant",
          status: "completed",
          content: [{ type: "output_text", text: "Hello there", annotations: [], logprobs: [] }],
        },
      ],
      usage: {
        input_tokens: expect.any(Number),
        input_tokens_details: { cached_tokens: 0 },
        output_tokens: expect.any(Number),
        output_tokens_details: { reasoning_tokens: 0 },
      },
    });
    expect(calls(servers.ollama.requests)[0]).toMatchObject({
      messages: [
        { role: "system", content: "Be brief" },
        { role: "user", content: "Hi" },
      ],
      options: { num_predict: 50, temperature: 0.5 },
    });
  });

  test("items become messages; what the model said in one turn is one message", async () => {
    await using servers = await openAiPair();
    const image = Buffer.from("pixels").toString("base64");
    const reply = await servers.post(PATH, {
      model: "tiny",
      input: [
        { role: "developer", content: "Be brief" },
        { type: "message", role: "user", content: [{ type: "input_text", text: "Rome?" }] },
        { type: "reasoning", id: "rs_1", summary: [{ type: "summary_text", text: "hm" }] },
        { type: "message", role: "assistant", content: [{ type: "output_text", text: "I look" }] },
        { type: "function_call", call_id: "c1", name: "weather", arguments: '{"city":"Rome"}' },
        { type: "function_call_output", call_id: "c1", output: "sunny" },
        { role: "user", content: [{ type: "input_image", image_url: `data:image/png;base64,${image}` }] },
      ],
    });
    expect(reply.status).toBe(200);
    expect(calls(servers.ollama.requests)[0]!.messages).toEqual([
      { role: "system", content: "Be brief" },
      { role: "user", content: "Rome?" },
      {
        role: "assistant",
        content: "I look",
        thinking: "hm",
        tool_calls: [{ id: "c1", function: { name: "weather", arguments: { city: "Rome" } } }],
      },
      { role: "tool", content: "sunny", tool_call_id: "c1", tool_name: "weather" },
      { role: "user", content: "", images: [image] },
    ]);
  });

  test("functions are called in parallel, one at a time, or for sure", async () => {
    await using servers = await openAiPair();
    const output = async (fields: object) => {
      const call = { model: "tiny", input: "Paris and Rome?", tools: [WEATHER], ...fields };
      return (await json<{ output: Record<string, unknown>[] }>(await servers.post(PATH, call))).output;
    };
    expect(await output({})).toMatchObject([
      { type: "function_call", name: "weather", arguments: '{"city":"Paris"}', status: "completed" },
      { type: "function_call", name: "weather", arguments: '{"city":"Rome"}', status: "completed" },
    ]);
    expect(await output({ parallel_tool_calls: false })).toHaveLength(1);
    const forced = await output({ tool_choice: { type: "function", name: "weather" }, input: "Hi" });
    expect(forced).toMatchObject([{ type: "function_call", name: "weather" }]);
    expect(Object.keys(JSON.parse(forced[0]!.arguments as string))).toEqual(["city"]);
    const cut = await output({ tool_choice: "required", input: "Hi", max_output_tokens: 1 });
    expect(cut).toMatchObject([{ type: "function_call", status: "incomplete" }]);
  });

  test("a wanted form becomes Ollama's format; an effort sets thinking", async () => {
    await using servers = await openAiPair();
    const schema = { type: "object", properties: { a: { type: "integer" } }, required: ["a"] };
    await servers.post(PATH, {
      model: "thinker",
      input: "Hi",
      text: { format: { type: "json_schema", name: "form", schema } },
      reasoning: { effort: "low" },
    });
    expect(calls(servers.ollama.requests)[0]).toMatchObject({ format: schema, think: "low" });
  });

  test("an answer that its limit ends is incomplete, streamed or not", async () => {
    await using servers = await openAiPair("one two three four five six seven");
    const call = { model: "tiny", input: "Hi", max_output_tokens: 2 };
    expect(await json(await servers.post(PATH, call))).toMatchObject({
      status: "incomplete",
      incomplete_details: { reason: "max_output_tokens" },
      output: [{ status: "incomplete" }],
    });
    const events = await eventsOf<Event>(await servers.post(PATH, { ...call, stream: true }));
    expect(events.at(-1)).toMatchObject({ type: "response.incomplete", response: { status: "incomplete" } });
  });

  test("a conversation that is too long is refused, unless its client would rather have it cut", async () => {
    await using servers = await openAiPair();
    const call = {
      model: "tiny",
      input: [
        { role: "user", content: words(40_000) },
        { role: "user", content: "Hi" },
      ],
    };
    expect((await servers.post(PATH, call)).status).toBe(400);
    expect((await servers.post(PATH, { ...call, truncation: "auto" })).status).toBe(200);
  });

  test("what needs stored responses or tools of OpenAI's is refused", async () => {
    await using servers = await openAiPair();
    const cases: [object, string][] = [
      [{ previous_response_id: "resp_1" }, "previous_response_id"],
      [{ conversation: "conv_1" }, "conversation"],
      [{ background: true }, "background"],
      [{ prompt: { id: "pmpt_1" } }, "prompt"],
      [{ tools: [{ type: "web_search" }] }, "tools[0].type"],
      [{ input: [{ type: "item_reference", id: "msg_1" }] }, "input[0].type"],
      [{ input: [{ type: "computer_call" }] }, "input[0].type"],
      [{ input: 5 }, "input"],
      [{ input: undefined }, "input"],
      [{ input: [{ type: "function_call", call_id: "a", name: "b", arguments: "[" }] }, "input[0].arguments"],
    ];
    for (const [fields, param] of cases) {
      const reply = await servers.post(PATH, { model: "tiny", input: "Hi", ...fields });
      expect(reply.status, param).toBe(400);
      expect(await json(reply)).toMatchObject({ error: { param, type: "invalid_request_error" } });
    }
    expect(servers.ollama.requests).toEqual([]);
  });
});

describe("a streamed response", () => {
  test("reasoning, then text: each item is added, filled, done, and the last event has them all", async () => {
    await using servers = await openAiPair({ thinking: "Let me see", content: "It is 42" });
    const reply = await servers.post(PATH, { model: "thinker", input: "Hi", stream: true });
    const text = await reply.clone().text();
    const events = (await eventsOf<Event>(reply)) as Event[];
    // The name of each event is its type, and nothing follows the last.
    expect([...text.matchAll(/^event: (.*)$/gm)].map(([, name]) => name)).toEqual(
      events.map(({ type }) => type),
    );
    expect(events.map(({ sequence_number }) => sequence_number)).toEqual(events.map((_, index) => index));
    const kinds = events.map(({ type }) => type.replace("response.", ""));
    expect(kinds.filter((kind, index) => kind !== kinds[index - 1])).toEqual([
      "created",
      "in_progress",
      "output_item.added",
      "reasoning_summary_part.added",
      "reasoning_summary_text.delta",
      "reasoning_summary_text.done",
      "reasoning_summary_part.done",
      "output_item.done",
      "output_item.added",
      "content_part.added",
      "output_text.delta",
      "output_text.done",
      "content_part.done",
      "output_item.done",
      "completed",
    ]);
    const said = (type: string) => events.filter((event) => event.type === type).map(({ delta }) => delta);
    expect(said("response.reasoning_summary_text.delta").join("")).toBe("Let me see");
    expect(said("response.output_text.delta").join("")).toBe("It is 42");
    expect(events.at(-1)!.response).toMatchObject({
      id: events[0]!.response!.id,
      status: "completed",
      output: [
        { type: "reasoning", summary: [{ type: "summary_text", text: "Let me see" }] },
        { type: "message", content: [{ text: "It is 42" }] },
      ],
    });
    expect(events[0]!.response!.output).toEqual([]);
  });

  test("each call has its own item and place", async () => {
    await using servers = await openAiPair();
    const call = { model: "tiny", input: "Paris and Rome?", tools: [WEATHER], stream: true };
    const events = (await eventsOf<Event>(await servers.post(PATH, call))) as Event[];
    const added = events.filter(({ type }) => type === "response.output_item.added");
    expect(added.map(({ output_index, item }) => [output_index, item!.type])).toEqual([
      [0, "function_call"],
      [1, "function_call"],
    ]);
    const done = events.filter(({ type }) => type === "response.function_call_arguments.done");
    expect(done.map(({ item_id }) => item_id)).toEqual(added.map(({ item }) => item!.id));
    expect(events.at(-1)!.response!.output).toHaveLength(2);
  });

  test("a failure on the way is the last event", async () => {
    await using servers = await openAiPair({
      content: "one two three",
      error: { message: "boom", afterTokens: 2 },
    });
    const events = await eventsOf<Event>(
      await servers.post(PATH, { model: "tiny", input: "Hi", stream: true }),
    );
    expect(events.at(-1)).toMatchObject({
      type: "response.failed",
      response: { status: "failed", error: { code: expect.any(String), message: expect.any(String) } },
    });
  });
});

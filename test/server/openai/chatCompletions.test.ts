import { describe, expect, test } from "vitest";
import { agent, type Chunk, calls, eventsOf, json, openAiPair, user, WEATHER, words } from "./support.js";

const PATH = "/v1/chat/completions";

interface Completion {
  readonly id: string;
  readonly choices: readonly {
    readonly finish_reason: string;
    readonly message: {
      readonly content: string | null;
      readonly reasoning?: string;
      readonly reasoning_content?: string;
      readonly tool_calls?: readonly {
        readonly id: string;
        readonly function: { readonly name: string; readonly arguments: string };
      }[];
    };
  }[];
  readonly usage: Record<string, unknown>;
}

describe("a chat completion", () => {
  test("has OpenAI's fields, the model as it was named, and the decision in the headers alone", async () => {
    await using servers = await openAiPair();
    const reply = await servers.post(PATH, { model: "tiny:latest", messages: user("Hi") });
    expect(reply.status).toBe(200);
    expect(reply.headers.get("x-optimizer-action")).toBe("load");
    expect(Number(reply.headers.get("x-optimizer-num-ctx"))).toBeGreaterThan(0);
    const body = await json(reply);
    expect(body).toEqual({
      id: expect.stringMatching(/^chatcmpl-\w{20,}$/),
      object: "chat.completion",
      created: expect.any(Number),
      model: "tiny:latest",
      system_fingerprint: "fp_ollama",
      choices: [
        {
          index: 0,
          message: { role: "assistant", content: "Hello there", refusal: null },
          logprobs: null,
          finish_reason: "stop",
        },
      ],
      usage: {
        prompt_tokens: expect.any(Number),
        completion_tokens: expect.any(Number),
        total_tokens: expect.any(Number),
        prompt_tokens_details: { cached_tokens: 0 },
      },
    });
    expect(Math.abs(Number(body.created) - Date.now() / 1000)).toBeLessThan(60);
  });

  test("a large max_tokens limits the reply and grows no window", async () => {
    await using servers = await openAiPair();
    const sent = async (more: object) => {
      await servers.post(PATH, { model: "tiny", messages: user(words(1_000)), ...more });
      return calls(servers.ollama.requests).at(-1)!.options as { num_ctx: number; num_predict: number };
    };
    const { num_ctx: window } = await sent({});
    for (const max_tokens of [16_384, 4_096]) {
      const { num_ctx, num_predict } = await sent({ max_tokens });
      expect(num_ctx).toBe(window);
      expect(num_predict).toBeLessThan(window - 1_000);
      expect(num_predict).toBeGreaterThan(1_024);
    }
    expect((await sent({ max_tokens: 1_500 })).num_predict).toBe(1_500);
    expect(servers.ollama.loads).toHaveLength(1);
  });

  test("a prompt beyond the default window is answered whole", async () => {
    await using servers = await openAiPair();
    const { usage } = await json<Completion>(
      await servers.post(PATH, { model: "tiny", messages: user(words(6_000)) }),
    );
    expect(usage.prompt_tokens).toBeGreaterThan(6_000);
    expect(servers.ollama.requests.some(({ facts }) => facts?.cut)).toBe(false);
  });

  test("cached tokens are told where the server tells them, and left out where it does not", async () => {
    for (const [version, tells] of [
      ["0.34.0", true],
      ["0.24.0", false],
    ] as const) {
      await using servers = await openAiPair(agent, { version });
      const call = { model: "tiny", messages: user(`Hello ${words(50)}`) };
      await servers.post(PATH, call);
      const { usage } = await json<Completion>(await servers.post(PATH, call));
      const details = usage.prompt_tokens_details as { cached_tokens: number } | undefined;
      if (tells) expect(details!.cached_tokens).toBeGreaterThan(40);
      else expect(details).toBeUndefined();
    }
  });

  test("options have Ollama's names; what is left out has OpenAI's default", async () => {
    await using servers = await openAiPair();
    const sent = async (fields: object): Promise<Record<string, unknown>> => {
      await servers.post(PATH, { model: "tiny", messages: user("Hi"), ...fields });
      return calls(servers.ollama.requests).at(-1)!.options as Record<string, unknown>;
    };
    const all = {
      temperature: 0.3,
      top_p: 0.5,
      seed: 7,
      stop: "END",
      frequency_penalty: 0.1,
      presence_penalty: -0.2,
      max_tokens: 9,
    };
    const { max_tokens, ...options } = all;
    expect(await sent(all)).toMatchObject({ ...options, stop: ["END"], num_predict: max_tokens });
    expect(await sent({ max_tokens: 9, max_completion_tokens: 5, stop: ["A", "B"] })).toMatchObject({
      temperature: 1,
      top_p: 1,
      num_predict: 5,
      stop: ["A", "B"],
    });
    const seed = 2 ** 60;
    expect(await sent({ stop: ["", "A"], seed })).toMatchObject({ stop: ["A"], seed });
    const reply = await servers.post(PATH, { model: "tiny", messages: user("Hi"), stop: "" });
    expect((await json<Completion>(reply)).choices[0]!.message.content).toBe("Hello there");
  });

  test("an answer that its limit ends says so", async () => {
    await using servers = await openAiPair("one two three four five six seven eight");
    const { choices } = await json<Completion>(
      await servers.post(PATH, { model: "tiny", messages: user("Hi"), max_tokens: 2 }),
    );
    expect(choices[0]!.finish_reason).toBe("length");
  });

  test("developers speak as the system, parts of a message stay one message, results name their function", async () => {
    await using servers = await openAiPair();
    await servers.post(PATH, {
      model: "tiny",
      messages: [
        { role: "developer", content: "Be brief" },
        {
          role: "user",
          content: [
            { type: "text", text: "one" },
            { type: "text", text: "two" },
          ],
        },
        {
          role: "assistant",
          content: null,
          reasoning_content: "hm",
          tool_calls: [
            { id: "c1", type: "function", function: { name: "weather", arguments: '{"city":"Rome"}' } },
          ],
        },
        { role: "tool", tool_call_id: "c1", content: "sunny" },
      ],
    });
    expect(calls(servers.ollama.requests)[0]!.messages).toEqual([
      { role: "system", content: "Be brief" },
      { role: "user", content: "one\ntwo" },
      {
        role: "assistant",
        content: "",
        thinking: "hm",
        tool_calls: [{ id: "c1", function: { name: "weather", arguments: { city: "Rome" } } }],
      },
      { role: "tool", content: "sunny", tool_call_id: "c1", tool_name: "weather" },
    ]);
  });

  test("an image as a data URL reaches the model as its bytes", async () => {
    await using servers = await openAiPair();
    const image = Buffer.from("not really a picture").toString("base64");
    const parts = [
      { type: "text", text: "What is it?" },
      { type: "image_url", image_url: { url: `data:image/png;base64,${image}`, detail: "low" } },
    ];
    expect(
      (await servers.post(PATH, { model: "viewer", messages: [{ role: "user", content: parts }] })).status,
    ).toBe(200);
    expect(calls(servers.ollama.requests)[0]!.messages).toEqual([
      { role: "user", content: "What is it?", images: [image] },
    ]);
  });

  test("a wanted form becomes Ollama's format", async () => {
    await using servers = await openAiPair();
    const schema = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
    const formats = [
      [{ type: "text" }, undefined],
      [{ type: "json_object" }, "json"],
      [{ type: "json_schema", json_schema: { name: "a", strict: true, schema } }, schema],
    ];
    for (const [response_format, format] of formats) {
      await servers.post(PATH, { model: "tiny", messages: user("Hi"), response_format });
      expect(calls(servers.ollama.requests).at(-1)!.format).toEqual(format);
    }
  });

  test("an effort sets thinking for models that think, and is ignored by the others", async () => {
    await using servers = await openAiPair({ thinking: "Let me see", content: "42" });
    const think = async (model: string, reasoning_effort: string): Promise<unknown> => {
      expect((await servers.post(PATH, { model, messages: user("Hi"), reasoning_effort })).status).toBe(200);
      return calls(servers.ollama.requests).at(-1)!.think;
    };
    for (const effort of ["low", "medium", "high"]) expect(await think("thinker", effort)).toBe(effort);
    expect(await think("thinker", "minimal")).toBe("low");
    expect(await think("thinker", "none")).toBe(false);
    expect(await think("tiny", "high")).toBeUndefined();
  });

  test("reasoning has the two names that clients look for", async () => {
    await using servers = await openAiPair({ thinking: "Let me see", content: "42" });
    const { choices } = await json<Completion>(
      await servers.post(PATH, { model: "thinker", messages: user("Hi") }),
    );
    expect(choices[0]!.message).toMatchObject({
      reasoning: "Let me see",
      reasoning_content: "Let me see",
      content: "42",
    });
  });
});

describe("tools", () => {
  const ask = { model: "tiny", messages: user("Paris and Rome?"), tools: [WEATHER] };

  test("calls have ids and arguments as JSON text", async () => {
    await using servers = await openAiPair();
    const { choices } = await json<Completion>(await servers.post(PATH, ask));
    expect(choices[0]!.finish_reason).toBe("tool_calls");
    expect(choices[0]!.message.content).toBeNull();
    const { tool_calls } = choices[0]!.message;
    expect(tool_calls!.map((call) => call.function)).toEqual([
      { name: "weather", arguments: '{"city":"Paris"}' },
      { name: "weather", arguments: '{"city":"Rome"}' },
    ]);
    expect(new Set(tool_calls!.map(({ id }) => id)).size).toBe(2);
  });

  test("one call at a time when parallel calls are not wanted, streamed or not", async () => {
    await using servers = await openAiPair();
    const one = { ...ask, parallel_tool_calls: false };
    const { choices } = await json<Completion>(await servers.post(PATH, one));
    expect(choices[0]!.message.tool_calls).toHaveLength(1);
    const chunks = await eventsOf(await servers.post(PATH, { ...one, stream: true }));
    expect(chunks.filter((chunk) => chunk !== "[DONE]" && chunk.choices[0]?.delta.tool_calls)).toHaveLength(
      1,
    );
  });

  test("none leaves the tools out, and a list of allowed ones leaves out the others", async () => {
    await using servers = await openAiPair();
    const sent = async (tool_choice: unknown): Promise<unknown> => {
      const time = { type: "function", function: { name: "time" } };
      await servers.post(PATH, { ...ask, tools: [WEATHER, time], tool_choice });
      const { tools } = calls(servers.ollama.requests).at(-1)!;
      return (tools as { function: { name: string } }[] | undefined)?.map((tool) => tool.function.name);
    };
    expect(await sent("none")).toBeUndefined();
    expect(await sent("auto")).toEqual(["weather", "time"]);
    const only = { mode: "auto", tools: [{ type: "function", function: { name: "time" } }] };
    expect(await sent({ type: "allowed_tools", allowed_tools: only })).toEqual(["time"]);
  });

  test("a named function is always called: the answer is bound to its arguments", async () => {
    await using servers = await openAiPair(() => ({ content: '{"city":"Oslo"}' }));
    const tool_choice = { type: "function", function: { name: "weather" } };
    for (const stream of [false, true]) {
      const reply = await servers.post(PATH, { ...ask, messages: user("Hi"), tool_choice, stream });
      const called = stream
        ? streamed(await eventsOf(reply))
        : (await json<Completion>(reply)).choices[0]!.message;
      expect(called.tool_calls).toMatchObject([
        { function: { name: "weather", arguments: '{"city":"Oslo"}' } },
      ]);
      expect(called.content || null).toBeNull();
    }
    const sent = calls(servers.ollama.requests)[0]!;
    expect(sent).toMatchObject({ format: WEATHER.function.parameters });
    expect(sent.tools).toBeUndefined();
    expect(JSON.stringify(sent.messages)).toContain("The weather of a city");
  });

  test("required chooses among several functions, each with definitions of its own", async () => {
    await using servers = await openAiPair();
    const withDefinitions = (name: string, type: string) => ({
      type: "function",
      function: {
        name,
        parameters: {
          type: "object",
          properties: { place: { $ref: "#/$defs/Place" } },
          required: ["place"],
          $defs: { Place: { type } },
        },
      },
    });
    const tools = [withDefinitions("first", "string"), withDefinitions("second", "integer")];
    const { choices } = await json<Completion>(
      await servers.post(PATH, { ...ask, tools, tool_choice: "required" }),
    );
    expect(choices[0]).toMatchObject({
      finish_reason: "tool_calls",
      message: { tool_calls: [{ function: { name: "first" } }] },
    });
    const { format } = calls(servers.ollama.requests)[0] as { format: { anyOf: unknown[]; $defs: object } };
    expect(format.$defs).toEqual({ "0_Place": { type: "string" }, "1_Place": { type: "integer" } });
    expect(format.anyOf[1]).toMatchObject({
      properties: {
        name: { const: "second" },
        arguments: { properties: { place: { $ref: "#/$defs/1_Place" } } },
      },
    });
  });

  test("a forced call that its limit cuts off is passed on as far as it came", async () => {
    await using servers = await openAiPair({ content: '{"city": "A very long name of a town"}' });
    const { choices } = await json<Completion>(
      await servers.post(PATH, { ...ask, tool_choice: "required", max_tokens: 10 }),
    );
    expect(choices[0]!.finish_reason).toBe("length");
    expect(choices[0]!.message.tool_calls![0]!.function.arguments).toMatch(/^\{"[^}]*$/);
  });
});

function streamed(events: readonly (Chunk | "[DONE]")[]): { tool_calls: unknown; content: string } {
  const deltas = events.flatMap((event) =>
    event === "[DONE]" ? [] : event.choices.map(({ delta }) => delta),
  );
  return {
    tool_calls: deltas.flatMap(({ tool_calls }) => tool_calls ?? []),
    content: deltas.map(({ content }) => content ?? "").join(""),
  };
}

describe("a streamed chat completion", () => {
  test("role first, then text, the reason alone, the usage without choices, [DONE]", async () => {
    await using servers = await openAiPair({ thinking: "Let me see", content: "It is forty two" });
    const reply = await servers.post(PATH, {
      model: "thinker",
      messages: user("Hi"),
      stream: true,
      stream_options: { include_usage: true },
    });
    expect(reply.headers.get("content-type")).toMatch(/^text\/event-stream/);
    expect(reply.headers.get("x-optimizer-num-ctx")).not.toBeNull();
    const events = await eventsOf(reply);
    expect(events.at(-1)).toBe("[DONE]");
    const chunks = events.slice(0, -1) as Chunk[];
    expect(new Set(chunks.map(({ id }) => id)).size).toBe(1);
    expect(chunks[0]!.choices[0]!.delta).toEqual({ role: "assistant", content: "", refusal: null });
    const rest = chunks.slice(1, -2).map(({ choices }) => choices[0]!.delta);
    expect(rest.map(({ reasoning_content }) => reasoning_content ?? "").join("")).toBe("Let me see");
    expect(rest.map(({ content }) => content ?? "").join("")).toBe("It is forty two");
    expect(rest.findIndex(({ content }) => content)).toBeGreaterThan(
      rest.findLastIndex(({ reasoning_content }) => reasoning_content),
    );
    expect(chunks.at(-2)).toMatchObject({ choices: [{ delta: {}, finish_reason: "stop" }], usage: null });
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: { completion_tokens: expect.any(Number) } });
    expect(chunks.slice(0, -1).every(({ usage }) => usage === null)).toBe(true);
  });

  test("without the option no chunk has a usage", async () => {
    await using servers = await openAiPair();
    const events = await eventsOf(
      await servers.post(PATH, { model: "tiny", messages: user("Hi"), stream: true }),
    );
    expect(
      events.some((event) => event !== "[DONE]" && ("usage" in event || event.choices.length !== 1)),
    ).toBe(false);
  });

  test("calls are numbered and each has its own id", async () => {
    await using servers = await openAiPair();
    const events = await eventsOf(
      await servers.post(PATH, {
        model: "tiny",
        messages: user("Paris, Rome"),
        tools: [WEATHER],
        stream: true,
      }),
    );
    expect(streamed(events).tool_calls).toEqual([
      {
        index: 0,
        id: expect.any(String),
        type: "function",
        function: expect.objectContaining({ name: "weather" }),
      },
      {
        index: 1,
        id: expect.any(String),
        type: "function",
        function: expect.objectContaining({ name: "weather" }),
      },
    ]);
    expect(events.at(-2)).toMatchObject({ choices: [{ finish_reason: "tool_calls" }] });
  });

  test("a failure on the way is the last event", async () => {
    await using servers = await openAiPair({
      content: "one two three",
      error: { message: "boom", afterTokens: 2 },
    });
    const reply = await servers.post(PATH, { model: "tiny", messages: user("Hi"), stream: true });
    expect(reply.status).toBe(200);
    const events = await eventsOf<Record<string, unknown>>(reply);
    expect(events.at(-1)).toMatchObject({ error: { type: "server_error", message: expect.any(String) } });
    expect(events).not.toContain("[DONE]");
  });

  test.each([true, false])("a client that leaves stops the server (streamed: %s)", async (stream) => {
    await using servers = await openAiPair({ outputTokens: 100_000, chunkDelayMs: 5 });
    const { origin } = await servers.listen();
    const leave = new AbortController();
    const left = fetch(origin + PATH, {
      method: "POST",
      body: JSON.stringify({ model: "tiny", messages: user("Hi"), stream }),
      signal: leave.signal,
    }).then((reply) => reply.text());
    await expect.poll(() => servers.ollama.state()[0]?.users, { timeout: 5_000 }).toBe(1);
    leave.abort();
    await expect(left).rejects.toThrow(/abort/);
    await expect
      .poll(() => servers.ollama.requests.some(({ aborted }) => aborted), { timeout: 5_000 })
      .toBe(true);
  });
});

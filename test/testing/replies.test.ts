import { afterEach, describe, expect, it, vi } from "vitest";
import {
  manualClock,
  type OllamaServer,
  type OllamaServerOptions,
  type ScriptedReply,
  scriptedEngine,
  startOllamaServer,
} from "../../src/testing/index.js";
import { ask, get, type Json, post, words } from "./call.js";

let server: OllamaServer;
const start = async (reply: ScriptedReply, options: OllamaServerOptions = {}): Promise<void> => {
  server = await startOllamaServer({ engine: scriptedEngine({ reply }), ...options });
};
afterEach(() => server?.close());

const question = { model: "tiny", messages: [{ role: "user", content: "hi" }] };
const message = (line: Json | undefined): Json => line?.message as Json;

describe("a scripted reply", () => {
  it("comes token by token, then the final record", async () => {
    await start({ content: " the of and" });
    const { lines, type } = await post(server, "/api/chat", question);
    expect(type).toBe("application/x-ndjson");
    expect(lines.map((line) => message(line).content)).toEqual([" the", " of", " and", ""]);
    expect(lines.map(({ done }) => done)).toEqual([false, false, false, true]);
    expect(lines.at(-1)).toMatchObject({ eval_count: 3, eval_duration: 30e6, done_reason: "stop" });
  });

  it("keeps characters whole that are several tokens", async () => {
    await start({ content: "日本 😀" });
    const { lines } = await post(server, "/api/chat", question);
    expect(lines.map((line) => message(line).content)).toEqual(["日", "本", " ", "😀", ""]);
    expect(lines.at(-1)?.eval_count).toBe(11);
  });

  it("spells its content also where the tokenizer is a mere count", async () => {
    await start({ content: "twelve bytes" }, { models: [{ name: "tiny", bytesPerToken: 4 }] });
    const { lines } = await post(server, "/api/chat", question);
    expect(lines.map((line) => message(line).content)).toEqual(["twel", "ve b", "ytes", ""]);
  });

  it("can depend on the call", async () => {
    server = await startOllamaServer({
      engine: scriptedEngine({
        reply: ({ messages, index, options }) => `${index} ${messages.at(-1)?.content} ${options.seed}`,
      }),
    });
    await ask(server, "x");
    expect(message(await ask(server, "be", { options: { seed: 7 } })).content).toBe("1 be 7");
  });

  it("sends each tool call in a chunk of its own, after the content", async () => {
    const call = (city: string): { name: string; arguments: Json } => ({
      name: "weather",
      arguments: { city },
    });
    await start({ content: "so", toolCalls: [call("Rome"), call("Paris")] });
    const tools = [{ type: "function", function: { name: "weather" } }];
    const { lines } = await post(server, "/api/chat", { ...question, tools });
    expect(lines.slice(-3).map((line) => message(line).tool_calls)).toEqual([
      [{ id: "call_00000000", function: { index: 0, ...call("Rome") } }],
      [{ id: "call_00000001", function: { index: 1, ...call("Paris") } }],
      undefined,
    ]);
    expect(
      message((await post(server, "/api/chat", { ...question, tools, stream: false })).lines[0]),
    ).toMatchObject({
      content: "so",
      tool_calls: [{ function: { index: 0 } }, { function: { index: 1 } }],
    });
  });

  it("thinks unless told not to, on a model that can", async () => {
    await start(
      { content: "so", thinking: "hm" },
      { models: [{ name: "tiny", capabilities: ["completion", "thinking"] }] },
    );
    expect(message(await ask(server, "hi"))).toMatchObject({ content: "so", thinking: "hm" });
    expect(message(await ask(server, "hi", { think: "high" }))).toMatchObject({ thinking: "hm" });
    expect(message(await ask(server, "hi", { think: false }))).not.toHaveProperty("thinking");
    const { lines } = await post(server, "/api/chat", { ...question, think: true });
    expect(message(lines[0])).toMatchObject({ content: "", thinking: "h" });
  });

  it("fills a JSON schema", async () => {
    await start({});
    const format = {
      type: "object",
      required: ["name", "tags", "kind"],
      properties: {
        name: { type: "string", minLength: 6 },
        age: { type: "integer", minimum: 18 },
        tags: { type: "array", items: { $ref: "#/$defs/tag" }, minItems: 2 },
        kind: { anyOf: [{ enum: ["a", "b"] }, { type: "null" }] },
      },
      $defs: { tag: { type: "string", maxLength: 3 } },
    };
    const reply = await ask(server, "hi", { format });
    expect(JSON.parse(message(reply).content as string)).toEqual({
      name: "textxx",
      age: 18,
      tags: ["tex", "tex"],
      kind: "a",
    });
  });

  it("ends at a stop word", async () => {
    await start({ content: "one two three" });
    expect(message(await ask(server, "hi", { options: { stop: [" three"] } })).content).toBe("one two");
  });

  it("answers /api/generate with the tokens of prompt and reply, raw ones without a template", async () => {
    await start({ content: " the of" });
    const { lines } = await post(server, "/api/generate", { model: "tiny", prompt: "and", stream: false });
    expect(lines[0]).toMatchObject({ response: " the of", done: true });
    expect(lines[0]?.context).toHaveLength((lines[0]?.prompt_eval_count as number) - 1 + 2);
    const raw = await post(server, "/api/generate", {
      model: "tiny",
      prompt: " the of and",
      raw: true,
      stream: false,
    });
    expect(raw.lines[0]).toMatchObject({ prompt_eval_count: 4 });
    expect(raw.lines[0]).not.toHaveProperty("context");
  });

  it("becomes a status when it fails at once, a line when it fails later", async () => {
    await start({ error: { message: "no", status: 507 } });
    expect(await post(server, "/api/chat", question)).toMatchObject({
      status: 507,
      lines: [{ error: "no" }],
      type: "application/json",
    });
    await server.close();
    await start({ content: "the of and", error: { message: "broken", afterTokens: 2 } });
    const { status, lines } = await post(server, "/api/chat", question);
    expect(status).toBe(200);
    expect(lines).toHaveLength(3);
    expect(lines.at(-1)).toEqual({ error: "broken" });
    expect(await ask(server, "hi")).toMatchObject({ status: 500, error: "broken" });
  });
});

describe("an embedding model", () => {
  it("embeds, cuts to the dimensions asked for and stays normalised", async () => {
    await start({}, { models: [{ name: "tiny", capabilities: ["embedding"], embeddingLength: 64 }] });
    const embed = async (more: Json): Promise<Json> =>
      (await post(server, "/api/embed", { model: "tiny", ...more })).lines[0]!;
    const near = (a: number[], b: number[]): number =>
      a.reduce((sum, value, index) => sum + value * b[index]!, 0);
    const { embeddings, prompt_eval_count } = await embed({
      input: ["the water of the people", "the water of people", "no"],
    });
    const [a, b, c] = embeddings as number[][];
    expect(a).toHaveLength(64);
    expect(near(a!, a!)).toBeCloseTo(1, 5);
    expect(near(a!, b!)).toBeGreaterThan(near(a!, c!));
    expect(prompt_eval_count).toBeGreaterThan(10);
    const short = (await embed({ input: "the", dimensions: 8 })).embeddings as number[][];
    expect(short[0]).toHaveLength(8);
    expect(near(short[0]!, short[0]!)).toBeCloseTo(1, 5);
    expect(await embed({ input: [] })).toEqual({ model: "tiny", embeddings: [] });
  });

  it("refuses a text beyond its window only when it may not cut", async () => {
    await start({}, { models: [{ name: "tiny", capabilities: ["embedding"], trainedNumCtx: 256 }] });
    const body = { model: "tiny", input: words(400) };
    expect((await post(server, "/api/embed", body)).lines[0]).toMatchObject({ prompt_eval_count: 256 });
    expect(await post(server, "/api/embed", { ...body, truncate: false })).toMatchObject({
      status: 400,
      lines: [{ error: "the input length exceeds the context length" }],
    });
  });

  it("does not chat", async () => {
    await start({}, { models: [{ name: "tiny", capabilities: ["embedding"] }] });
    expect(await ask(server, "hi")).toMatchObject({ status: 400, error: '"tiny" does not support chat' });
  });
});

describe("a client that leaves", () => {
  it("stops a stream, and the log says after how many tokens", async () => {
    await start({ outputTokens: 5000 });
    const controller = new AbortController();
    const reply = await fetch(`${server.origin}/api/chat`, {
      method: "POST",
      body: JSON.stringify(question),
      signal: controller.signal,
    });
    await reply.body!.getReader().read();
    controller.abort();
    await vi.waitFor(() => expect(server.requests[0]?.aborted).toBeDefined(), 10_000);
    expect(server.requests[0]?.aborted?.outputTokens).toBeLessThan(5000);
    expect(server.state()).toMatchObject([{ users: 0 }]);
  });

  it("stops a reply that has not begun", async () => {
    const clock = manualClock();
    await start({ delayMs: 1000 }, { clock });
    const controller = new AbortController();
    const sent = fetch(`${server.origin}/api/chat`, {
      method: "POST",
      body: JSON.stringify({ ...question, stream: false }),
      signal: controller.signal,
    });
    await vi.waitFor(() => expect(clock.sleepers).toBe(1), 10_000);
    controller.abort();
    await expect(sent).rejects.toThrow();
    await vi.waitFor(() => expect(server.requests[0]?.aborted).toEqual({ outputTokens: 0 }), 10_000);
    expect(
      (await ask(server, "hi", { model: "tiny", stream: false, keep_alive: 0, messages: [] })).done,
    ).toBe(true);
  });

  it("stops chunks that a test holds back", async () => {
    let release = (): void => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    async function* chunks(): AsyncGenerator<string> {
      yield "one";
      await held;
      yield "two";
    }
    await start({ chunks: chunks() });
    const controller = new AbortController();
    const reply = await fetch(`${server.origin}/api/chat`, {
      method: "POST",
      body: JSON.stringify(question),
      signal: controller.signal,
    });
    await reply.body!.getReader().read();
    controller.abort();
    await vi.waitFor(() => expect(server.requests[0]?.aborted).toEqual({ outputTokens: 1 }), 10_000);
    release();
  });
});

describe("a fault", () => {
  const streamed = (): ReturnType<typeof post> => post(server, "/api/chat", question);

  it("happens once, to the call it is meant for", async () => {
    await start({ content: "so" }, { models: [{ name: "tiny" }, { name: "other" }] });
    server.failNext({ path: "/api/chat", model: "other", kind: "serverBusy" });
    expect((await ask(server, "hi")).status).toBe(200);
    expect(await ask(server, "hi", { model: "other" })).toMatchObject({
      status: 503,
      error: "server busy, please try again.  maximum pending requests exceeded",
    });
    expect((await ask(server, "hi", { model: "other" })).status).toBe(200);
  });

  it("of any status and text", async () => {
    await start({});
    server.failNext({ status: 418, message: "teapot", times: 2 });
    expect(await ask(server, "hi")).toMatchObject({ status: 418, error: "teapot" });
    expect((await get(server, "/api/tags")).error).toBe("teapot");
    expect((await ask(server, "hi")).status).toBe(200);
  });

  it("outOfMemory waits for a call that loads", async () => {
    await start({});
    await ask(server, "hi");
    server.failNext({ kind: "outOfMemory" });
    expect((await ask(server, "hi")).status).toBe(200);
    expect(await ask(server, "hi", { options: { num_ctx: 8192 } })).toMatchObject({ status: 500 });
    expect(server.state()).toEqual([]);
  });

  it("crash unloads the model", async () => {
    await start({});
    server.failNext({ kind: "crash" });
    const reply = await ask(server, "hi");
    expect(reply.status).toBe(500);
    expect(reply.error).toMatch(/^model runner has unexpectedly stopped/);
    expect(server.state()).toEqual([]);
  });

  it("midStreamError is a line after some output, a status without a stream", async () => {
    await start({ content: "the of and" });
    server.failNext({ kind: "midStreamError", afterChunks: 2, times: 2 });
    const { status, lines } = await streamed();
    expect(status).toBe(200);
    expect(lines.map((line) => "error" in line)).toEqual([false, false, true]);
    expect((await ask(server, "hi")).status).toBe(500);
  });

  it("dropConnection breaks it", async () => {
    await start({ content: "the of and" });
    server.failNext({ kind: "dropConnection" });
    await expect(streamed()).rejects.toThrow();
  });

  it("noFinalRecord ends the stream without it, and leaves done: false without a stream", async () => {
    await start({ content: "the of" });
    server.failNext({ kind: "noFinalRecord", times: 2 });
    const { lines } = await streamed();
    expect(lines).toMatchObject([{ done: false }]);
    expect(await ask(server, "hi")).toMatchObject({ status: 200, done: false });
  });

  it("emptyNotDone is an empty 200", async () => {
    await start({ content: "the of" });
    server.failNext({ kind: "emptyNotDone", times: 2 });
    expect(await streamed()).toMatchObject({ status: 200, lines: [] });
    expect(await ask(server, "hi")).toMatchObject({
      status: 200,
      done: false,
      message: { content: "" },
      model: "",
    });
  });

  it("invalidJson cannot be parsed", async () => {
    await start({ content: "the of" });
    server.failNext({ kind: "invalidJson", times: 2 });
    await expect(streamed()).rejects.toThrow(SyntaxError);
    await expect(ask(server, "hi")).rejects.toThrow(SyntaxError);
  });

  it("hang ends when the client leaves", async () => {
    await start({});
    server.failNext({ kind: "hang" });
    await expect(
      fetch(`${server.origin}/api/chat`, {
        method: "POST",
        body: JSON.stringify(question),
        signal: AbortSignal.timeout(30),
      }),
    ).rejects.toThrow();
    await vi.waitFor(() => expect(server.requests[0]?.aborted).toBeDefined(), 10_000);
  });

  it("can be taken back", async () => {
    await start({});
    server.failNext({ kind: "serverBusy" });
    server.clearFailures();
    expect((await ask(server, "hi")).status).toBe(200);
  });
});

describe("real time", () => {
  it("waits as long as the durations say", async () => {
    const clock = manualClock();
    await start({ outputTokens: 3, content: "" }, { clock, realTime: true, loadMs: 300 });
    const reply = ask(server, "hi");
    let waits = 0;
    for (let done = false; !done; ) {
      done = await Promise.race([
        reply.then(() => true),
        vi
          .waitFor(() => expect(clock.sleepers).toBe(1))
          .then(
            () => false,
            () => true,
          ),
      ]);
      if (!done) {
        waits++;
        clock.advance(300);
      }
    }
    // The load, the prompt and three tokens.
    expect(waits).toBe(5);
    expect((await reply).load_duration).toBe(300e6);
  });
});

describe("bad requests", () => {
  it.each([
    ["/api/chat", {}, 400, "model is required"],
    ["/api/chat", "", 400, "missing request body"],
    ["/api/chat", '{"a":1', 400, "unexpected EOF"],
    ["/api/chat", '{"a":1,}', 400, "invalid character '}' looking for beginning of object key string"],
    ["/api/chat", "nope", 400, "invalid character 'o' in literal null (expecting 'u')"],
    ["/api/chat", '{"a" 1}', 400, "invalid character '1' after object key"],
    ["/api/chat", '[1 "', 400, "invalid character '\"' after array element"],
    [
      "/api/chat",
      { model: "tiny", messages: "hi" },
      400,
      "json: cannot unmarshal string into Go struct field ChatRequest.messages of type []api.Message",
    ],
    [
      "/api/chat",
      { model: "tiny", stream: 1 },
      400,
      "json: cannot unmarshal number into Go struct field ChatRequest.stream of type bool",
    ],
    ["/api/chat", { ...question, keep_alive: "300" }, 400, 'time: missing unit in duration "300"'],
    ["/api/chat", { ...question, keep_alive: "5x" }, 400, 'time: unknown unit "x" in duration "5x"'],
    ["/api/chat", { ...question, keep_alive: "soon" }, 400, 'time: invalid duration "soon"'],
    [
      "/api/chat",
      { ...question, options: { temperature: "hot" } },
      500,
      'option "temperature" must be of type float32',
    ],
    ["/api/chat", { ...question, options: { stop: "a" } }, 500, 'option "stop" must be of type array'],
    ["/api/chat", { ...question, think: true }, 400, '"tiny" does not support thinking'],
    [
      "/api/generate",
      { model: "tiny", prompt: "a", suffix: "b" },
      400,
      "registry.ollama.ai/library/tiny:latest does not support insert",
    ],
    ["/api/generate", { model: "nope", prompt: "a" }, 404, "model 'nope' not found"],
    ["/api/embed", { model: "tiny", input: [1] }, 400, "invalid input type"],
    ["/api/embed", { model: "nope", input: "a" }, 404, 'model "nope" not found, try pulling it first'],
  ])("%s with %j: %i %s", async (path, body, status, error) => {
    await start({});
    expect(await post(server, path, body)).toMatchObject({ status, lines: [{ error }] });
    expect(server.loads).toEqual([]);
  });

  it("are 404 and 405 as text where there is no such path or method", async () => {
    await start({});
    const reply = async (path: string, method: string): Promise<string> => {
      const answer = await fetch(server.origin + path, { method });
      return `${answer.status} ${await answer.text()}`;
    };
    expect(await reply("/api/tokenize", "POST")).toBe("404 404 page not found");
    expect(await reply("/api/chat", "GET")).toBe("405 405 method not allowed");
    expect(await reply("/", "GET")).toBe("200 Ollama is running");
    expect(await reply("/", "HEAD")).toBe("200 ");
    expect(await reply("/api/version", "GET")).toBe('200 {"version":"0.34.0"}');
  });

  it("name the model and window that a test got wrong", async () => {
    await expect(startOllamaServer({ models: [{ name: "tiny", trainedNumCtx: 0 }] })).rejects.toMatchObject({
      code: "TEST_MODEL_INVALID",
    });
    await start({});
    const port = Number(new URL(server.origin).port);
    await expect(startOllamaServer({ port })).rejects.toMatchObject({ code: "TEST_PORT_TAKEN" });
  });
});

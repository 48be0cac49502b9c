import { Readable } from "node:stream";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { nodeTransport, type Transport } from "../../../src/backend/transport.js";
import { json, openAiPair, user, words } from "./support.js";

const PATH = "/v1/chat/completions";
const CALL = { model: "tiny", messages: user("Hi") };

interface Told {
  readonly error: {
    readonly message: string;
    readonly type: string;
    readonly param: string | null;
    readonly code: string | null;
  };
}

describe("a request that is refused", () => {
  test("names the field, in OpenAI's shape and before anything is asked of a model", async () => {
    await using servers = await openAiPair();
    const cases: [Record<string, unknown>, string | null, string | null][] = [
      [{ model: undefined }, "model", "missing_required_parameter"],
      [{ model: 5 }, "model", "invalid_type"],
      [{ messages: undefined }, "messages", "missing_required_parameter"],
      [{ messages: "Hi" }, "messages", "invalid_type"],
      [{ messages: [] }, "messages", "empty_array"],
      [{ messages: [{ role: "king", content: "" }] }, "messages[0].role", "invalid_value"],
      [{ messages: [{ role: "user", content: 1 }] }, "messages[0].content", "invalid_type"],
      [{ messages: [{ role: "user" }] }, "messages[0].content", "missing_required_parameter"],
      [{ messages: [{ role: "tool", content: null }] }, "messages[0].content", "missing_required_parameter"],
      [{ messages: [{ role: "user", content: [] }] }, "messages[0].content", "empty_array"],
      [{ temperature: "hot" }, "temperature", "invalid_type"],
      [{ temperature: 3 }, "temperature", "decimal_above_max_value"],
      [{ max_tokens: 0 }, "max_tokens", "integer_below_min_value"],
      [{ seed: 1.5 }, "seed", "invalid_type"],
      [{ n: 2 }, "n", "unsupported_value"],
      [{ stop: [1] }, "stop", "invalid_type"],
      [{ top_logprobs: 2 }, "top_logprobs", "invalid_value"],
      [{ functions: [] }, "functions", "unsupported_parameter"],
      [{ reasoning_effort: "some" }, "reasoning_effort", "invalid_value"],
      [{ reasoning_effort: "constructor" }, "reasoning_effort", "invalid_value"],
      [{ response_format: { type: "xml" } }, "response_format.type", "invalid_value"],
      [{ response_format: {} }, "response_format.type", "missing_required_parameter"],
      [
        { response_format: { type: "json_schema" } },
        "response_format.json_schema",
        "missing_required_parameter",
      ],
      [{ tools: [{ type: "custom" }] }, "tools[0].type", "unsupported_value"],
      [{ tools: [{ type: "function" }] }, "tools[0].function", "missing_required_parameter"],
      [{ tool_choice: "required" }, "tool_choice", "invalid_value"],
      [{ tool_choice: { type: "function", function: { name: "absent" } } }, "tool_choice", "invalid_value"],
    ];
    for (const [fields, param, code] of cases) {
      const reply = await servers.post(PATH, { ...CALL, ...fields });
      const { error } = await json<Told>(reply);
      expect({ status: reply.status, ...error }, JSON.stringify(fields)).toEqual({
        status: 400,
        type: "invalid_request_error",
        message: expect.any(String),
        param,
        code,
      });
    }
    expect(servers.ollama.requests.filter(({ path }) => path === "/api/chat")).toEqual([]);
  });

  test("names the field of a response too; nothing to answer is no answer", async () => {
    await using servers = await openAiPair();
    const cases: [Record<string, unknown>, string, string][] = [
      [{ input: [] }, "input", "empty_array"],
      [{ input: [{ role: "user" }] }, "input[0].content", "missing_required_parameter"],
      [{ reasoning: { effort: "toString" } }, "reasoning.effort", "invalid_value"],
      [
        { text: { format: { type: "json_schema", name: "a" } } },
        "text.format.schema",
        "missing_required_parameter",
      ],
    ];
    for (const [fields, param, code] of cases) {
      const reply = await servers.post("/v1/responses", { model: "tiny", input: "Hi", ...fields });
      expect([reply.status, (await json<Told>(reply)).error], JSON.stringify(fields)).toEqual([
        400,
        { type: "invalid_request_error", message: expect.any(String), param, code },
      ]);
    }
    expect(servers.ollama.requests.filter(({ path }) => path === "/api/chat")).toEqual([]);
  });

  test("addresses of images are never fetched", async () => {
    await using servers = await openAiPair();
    for (const url of [
      "http://127.0.0.1:1/secret",
      "https://example.com/a.png",
      "file:///etc/passwd",
      "data:text/html,x",
    ]) {
      const content = [{ type: "image_url", image_url: { url } }];
      const reply = await servers.post(PATH, { model: "viewer", messages: [{ role: "user", content }] });
      expect(reply.status).toBe(400);
      expect((await json<Told>(reply)).error.param).toBe("messages[0].content[0].image_url");
    }
    expect(servers.ollama.requests).toEqual([]);
  });

  test("what the runner below Ollama said is told as its words, not as JSON in a text", async () => {
    const told = { error: { code: 400, message: "Unrecognized schema", type: "invalid_request_error" } };
    const body = JSON.stringify({ error: JSON.stringify(told) });
    const refusal = { status: 400, headers: {}, body: Readable.from([Buffer.from(body)]) };
    const transport: Transport = (url, init) =>
      url.endsWith("/api/chat") ? Promise.resolve(refusal) : nodeTransport(url, init);
    await using servers = await openAiPair(undefined, undefined, { transport });
    const reply = await servers.post(PATH, CALL);
    expect([reply.status, (await json<Told>(reply)).error.message]).toEqual([400, "Unrecognized schema"]);
  });

  test("what is no JSON object is refused", async () => {
    await using servers = await openAiPair();
    for (const body of ["", "{", "[]", "null", '"text"', "\u0000"]) {
      const reply = await servers.post(PATH, body);
      expect([reply.status, (await json<Told>(reply)).error.type]).toEqual([400, "invalid_request_error"]);
    }
  });

  test("whatever is sent, the answer is JSON with a status below 500", async () => {
    await using servers = await openAiPair();
    const names = [
      "model",
      "messages",
      "tools",
      "tool_choice",
      "stop",
      "response_format",
      "input",
      "prompt",
      "n",
    ];
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(PATH, "/v1/completions", "/v1/embeddings", "/v1/responses"),
        fc.dictionary(fc.constantFrom(...names), fc.jsonValue()),
        fc.boolean(),
        async (path, fields, valid) => {
          const model = path === "/v1/embeddings" ? "vectors" : "tiny";
          const call = { ...CALL, model, input: "Hi", prompt: "Hi", ...fields };
          const reply = await servers.post(path, valid ? call : fields);
          expect(reply.status).toBeLessThan(500);
          expect(await json(reply)).toHaveProperty(reply.status < 400 ? "object" : "error");
        },
      ),
      { numRuns: 200 },
    );
  });

  test("unknown fields are ignored", async () => {
    await using servers = await openAiPair();
    const extra = { user: "me", store: true, metadata: { a: "b" }, chat_template_kwargs: {}, top_k: 3 };
    expect((await servers.post(PATH, { ...CALL, ...extra })).status).toBe(200);
  });
});

describe("a call that fails", () => {
  test("for length it says so by OpenAI's code, and its words reach no log", async () => {
    await using servers = await openAiPair();
    for (const stream of [false, true]) {
      const reply = await servers.post(PATH, { ...CALL, messages: user(`secret ${words(40_000)}`), stream });
      expect(reply.status).toBe(400);
      const { error } = await json<Told>(reply);
      expect(error).toMatchObject({ code: "context_length_exceeded", type: "invalid_request_error" });
      expect(error.message).toMatch(/tokens/);
    }
    expect(servers.warnings.join()).toMatch(/answered 400/);
    expect(servers.warnings.join()).not.toMatch(/secret/);
  });

  test("for a model that is not there", async () => {
    await using servers = await openAiPair();
    for (const [path, fields] of [
      [PATH, {}],
      ["/v1/completions", { prompt: "Hi" }],
      ["/v1/embeddings", { input: "Hi" }],
      ["/v1/responses", { input: "Hi" }],
    ] as const) {
      const reply = await servers.post(path, { ...CALL, ...fields, model: "absent" });
      expect(reply.status, path).toBe(404);
      expect((await json<Told>(reply)).error).toMatchObject({
        code: "model_not_found",
        param: "model",
        message: expect.stringContaining("absent"),
      });
    }
    expect((await servers.app.request("/v1/models/absent")).status).toBe(404);
  });

  test("for a tool that the model cannot call, a busy server, a crash, a server that is away", async () => {
    await using servers = await openAiPair();
    const told = async (fields: object = {}) => {
      const reply = await servers.post(PATH, { ...CALL, ...fields });
      return [reply.status, (await json<Told>(reply)).error.code];
    };
    const tools = [{ type: "function", function: { name: "a" } }];
    expect(await told({ model: "viewer", tools })).toEqual([400, "capability_missing"]);
    const embedded = await servers.post("/v1/embeddings", { model: "tiny", input: "Hi" });
    expect([embedded.status, (await json<Told>(embedded)).error.code]).toEqual([400, "capability_missing"]);
    servers.ollama.failNext({ path: "/api/chat", kind: "serverBusy" });
    expect(await told()).toEqual([503, "server_busy"]);
    servers.ollama.failNext({ path: "/api/chat", kind: "crash" });
    expect(await told()).toEqual([500, "runner_crashed"]);
    await servers.ollama.close();
    expect(await told()).toEqual([502, "server_unreachable"]);
  });

  test("for want of a turn, with the time after which to ask again", async () => {
    let release = (): void => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    async function* chunks(): AsyncGenerator<string> {
      yield "one";
      await held;
      yield " two";
    }
    await using servers = await openAiPair(() => ({ chunks: chunks() }), {}, { maxWaiting: 0 });
    const first = await servers.post(PATH, { ...CALL, stream: true });
    const second = await servers.post(PATH, { ...CALL, messages: user(words(6_000)) });
    release();
    expect([second.status, (await json<Told>(second)).error.code]).toEqual([503, "queue_full"]);
    expect(Number(second.headers.get("retry-after"))).toBeGreaterThan(0);
    expect(await first.text()).toContain("[DONE]");
  });

  test("without the token, with a body beyond the limit, on a route that is not there", async () => {
    await using servers = await openAiPair(undefined, {}, { token: "right", bodyLimitBytes: 100 });
    const headers = { authorization: "Bearer right" };
    const missing = await servers.post(PATH, CALL);
    expect(missing.status).toBe(401);
    expect((await json<Told>(missing)).error).toMatchObject({
      code: "invalid_api_key",
      type: "invalid_request_error",
    });
    const large = await servers.post(PATH, { ...CALL, messages: user(words(100)) }, headers);
    expect([large.status, (await json<Told>(large)).error.code]).toEqual([413, "body_too_large"]);
    const absent = await servers.post("/v1/images/generations", CALL, headers);
    expect([absent.status, (await json<Told>(absent)).error.type]).toEqual([404, "invalid_request_error"]);
    const wrong = await servers.app.request(PATH, { headers });
    expect([wrong.status, (await json<Told>(wrong)).error.code]).toEqual([405, "method_not_supported"]);
  });

  test("an upstream that needs more than a plain address gets what it needs", async () => {
    const seen: string[] = [];
    await using servers = await openAiPair(
      undefined,
      {},
      {
        upstreamHeaders: { "x-proxy": "pass" },
        transport: (url, init) => {
          if (init?.headers?.["x-proxy"] === "pass") seen.push(new URL(url).pathname);
          return nodeTransport(url, init);
        },
      },
    );
    await servers.post("/v1/embeddings", { model: "vectors", input: "Hi" });
    await servers.app.request("/v1/models");
    expect(seen).toEqual(expect.arrayContaining(["/api/embed", "/api/tags"]));
  });
});

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { ContextOverflowError, getRetryable, ModelAbortError } from "@langchain/core/errors";
import { describe, expect, test } from "vitest";
import { OptimizerError, UpstreamError } from "../../src/errors.js";
import type { DecisionRecord } from "../../src/records.js";
import { ENTRY_PATHS } from "./entryPaths.js";
import { bench, until } from "./support.js";

const add = {
  type: "function",
  function: { name: "add", description: "Adds", parameters: { type: "object", properties: {} } },
};
const slow = { chunks: Array.from({ length: 50 }, (_, i) => `word${i} `), chunkDelayMs: 40 };

describe.each(ENTRY_PATHS)("$name", ({ reply }) => {
  test("gives the text, the usage, the figures and the decision with its outcome", async () => {
    await using b = await bench("Fine, thanks.");
    const { text, usage_metadata, response_metadata } = await reply(b.model());
    expect(text).toBe("Fine, thanks.");
    expect(usage_metadata!.input_tokens).toBeGreaterThan(0);
    expect(usage_metadata!.output_tokens).toBeGreaterThan(0);
    expect(response_metadata).toMatchObject({
      model_provider: "ollama",
      done_reason: "stop",
      total_duration: expect.any(Number),
      load_duration: expect.any(Number),
      eval_count: usage_metadata!.output_tokens,
    });
    const decision = response_metadata.optimizer as DecisionRecord;
    expect(decision).toMatchObject({ id: expect.any(String), outcome: { retries: 0, error: null } });
    expect((await b.records()).map(({ id }) => id)).toEqual([decision.id]);
  });

  test("keeps parallel tool calls with different ids", async () => {
    await using b = await bench({
      toolCalls: [
        { name: "add", arguments: { a: 1, b: 2 } },
        { name: "add", arguments: { a: 3, b: 4 } },
        { name: "mul", arguments: { a: 5 } },
      ],
    });
    const { tool_calls } = await reply(b.model(), { tools: [add] });
    expect(tool_calls?.map(({ name, args }) => ({ name, args }))).toEqual([
      { name: "add", args: { a: 1, b: 2 } },
      { name: "add", args: { a: 3, b: 4 } },
      { name: "mul", args: { a: 5 } },
    ]);
    expect(new Set(tool_calls?.map(({ id }) => id)).size).toBe(3);
    expect(tool_calls?.every(({ id }) => id)).toBe(true);
  });

  test("an aborted call rejects at once, also before the first byte, and stops the server", async () => {
    await using b = await bench({ delayMs: 10_000 }, { realTime: true });
    const stop = new AbortController();
    const started = performance.now();
    const call = reply(b.model(), { signal: stop.signal });
    setTimeout(() => stop.abort(), 150);
    const error = await call.then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect((error as Error).name).toBe("AbortError");
    expect(performance.now() - started).toBeLessThan(8_000);
    await until(() => b.server.state().every(({ users }) => users === 0));
  });

  test("an abort amid the output stops the server, and a sibling goes on", async () => {
    await using b = await bench(slow, { realTime: true });
    const model = b.model();
    const stop = new AbortController();
    const sibling = reply(model);
    const call = reply(model, { signal: stop.signal });
    setTimeout(() => stop.abort(), 700);
    await expect(call).rejects.toThrow(/abort/i);
    expect((await sibling).text).toContain("word49");
  });

  test("a timeout rejects however often memory is tidied up, with a signal of the caller's or without", async () => {
    setFlagsFromString("--expose-gc");
    const tidyUp = runInNewContext("gc") as () => void;
    await using b = await bench({ ...slow, delayMs: 60_000 }, { realTime: true });
    for (const options of [{ timeout: 200 }, { timeout: 200, signal: new AbortController().signal }]) {
      const call = reply(b.model(), options);
      const tidying = setInterval(tidyUp, 30);
      const late = new Promise((resolve) => setTimeout(resolve, 3_000));
      await expect(Promise.race([call, late])).rejects.toMatchObject({ name: "TimeoutError" });
      clearInterval(tidying);
    }
  });

  test("a timeout rejects", async () => {
    await using b = await bench({ delayMs: 10_000 }, { realTime: true });
    await expect(reply(b.model(), { timeout: 200 })).rejects.toMatchObject({ name: "TimeoutError" });
  });

  test("an unknown model is a typed error with the status, not worth a retry", async () => {
    await using b = await bench();
    const error = await reply(b.model({ model: "absent" })).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(UpstreamError);
    expect(error).toMatchObject({ code: "MODEL_NOT_FOUND", status: 404, status_code: 404 });
    expect(getRetryable(error)).toBe(false);
  });

  test("a server that is down is a typed error", async () => {
    const b = await bench();
    const model = b.model();
    await b.server.close();
    await expect(reply(model)).rejects.toMatchObject({ code: "SERVER_UNREACHABLE" });
  });

  test.each(["noFinalRecord", "emptyNotDone"] as const)("%s is an error, not an answer", async (kind) => {
    await using b = await bench();
    b.server.failNext({ kind, path: "/api/chat" });
    await expect(reply(b.model())).rejects.toMatchObject({ code: "REPLY_INCOMPLETE" });
  });

  test("a prompt that fits no window is a ContextOverflowError with the numbers", async () => {
    await using b = await bench("ok", { models: [{ name: "tiny", trainedNumCtx: 2048 }] });
    const error = await reply(b.model(), {}, "words and ".repeat(5_000)).catch((thrown: unknown) => thrown);
    expect(ContextOverflowError.isInstance(error)).toBe(true);
    expect(OptimizerError.isInstance(error)).toBe(true);
    expect(error).toMatchObject({ code: "CONTEXT_OVERFLOW", limit: "trained", remedy: expect.any(String) });
    expect((error as Error).message).toMatch(/2048/);
    expect((error as Error).message).not.toMatch(/words and/);
    expect(getRetryable(error)).toBe(false);
  });

  test("a window of 0 is refused before anything is sent", async () => {
    await using b = await bench();
    await expect(reply(b.model(), { numCtx: 0 })).rejects.toMatchObject({ code: "OPTION_INVALID" });
    expect(b.server.requests).toEqual([]);
  });

  test("options of the call reach the wire", async () => {
    await using b = await bench("ok", {
      models: [{ name: "tiny", capabilities: ["completion", "thinking", "tools"] }],
    });
    await reply(b.model({ numCtx: 1024 }), { numCtx: 8192, numBatch: 128, keepAlive: "1h", think: false });
    expect(b.bodies()[0]).toMatchObject({
      keep_alive: "1h",
      think: false,
      options: { num_ctx: 8192, num_batch: 128 },
    });
  });

  test("nothing is added with optimize: false", async () => {
    await using b = await bench();
    await reply(b.model({ temperature: 0.5 }), { optimize: false });
    expect(b.bodies()[0]).toEqual({
      model: "tiny",
      messages: [{ role: "user", content: "How are you?" }],
      options: { temperature: 0.5 },
      stream: true,
    });
  });

  test("/opt is removed from what the model sees, and its reserve counts", async () => {
    await using b = await bench();
    const { response_metadata } = await reply(
      b.model({ optimize: "command" }),
      {},
      "/opt reserve=2500 explain=true How are you?",
    );
    expect(b.bodies()[0]!.messages).toEqual([{ role: "user", content: "How are you?" }]);
    expect(response_metadata.optimizer).toMatchObject({ outputReserve: 2500 });
    expect(response_metadata.optimizer_explanation).toMatch(/Reserve for the reply: 2500 tokens/);
  });
});

test.each(ENTRY_PATHS.filter(({ leave }) => leave))(
  "leaving $name after the first output stops the server",
  async ({ leave }) => {
    await using b = await bench(slow, { realTime: true });
    await leave!(b.model());
    await until(() => b.server.requests.some(({ aborted }) => aborted));
    const { aborted } = b.server.requests.find(({ aborted }) => aborted)!;
    expect(aborted!.outputTokens).toBeLessThan(20);
  },
);

test("an abort carries the output so far", async () => {
  await using b = await bench(slow, { realTime: true });
  const stop = new AbortController();
  const call = b.model().invoke("How are you?", { signal: stop.signal });
  setTimeout(() => stop.abort(new Error("enough")), 600);
  const error = (await call.catch((thrown: unknown) => thrown)) as ModelAbortError;
  expect(ModelAbortError.isInstance(error)).toBe(true);
  expect(error.partialOutput?.text).toMatch(/^word0 /);
  expect(error.cause).toMatchObject({ message: "enough" });
});

/** Of a program that hands the events on, as an HTTP response does. */
test.each(["v1", "v2"] as const)("cancelling events %s stops the server, encoded or not", async (version) => {
  for (const encoding of [undefined, "text/event-stream"] as const) {
    await using b = await bench(slow, { realTime: true });
    const options = { version, ...(encoding && { encoding }) } as { version: "v2" };
    const reader = b.model().streamEvents("a", options).getReader();
    for (let read = 0; read < 4; read++) await reader.read();
    await reader.cancel();
    await until(() => b.server.requests.some(({ aborted }) => aborted));
  }
});

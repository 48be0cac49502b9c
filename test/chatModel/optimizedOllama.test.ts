import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { InMemoryCache } from "@langchain/core/caches";
import { ContextOverflowError } from "@langchain/core/errors";
import type { Generation } from "@langchain/core/outputs";
import { describe, expect, test } from "vitest";
import { OptimizedOllama } from "../../src/chatModel/optimizedOllama.js";
import type { OptimizedOllamaInput } from "../../src/chatModel/options.js";
import { type Bench, bench, until } from "./support.js";

const textModel = (b: Bench, fields: OptimizedOllamaInput = {}) =>
  new OptimizedOllama({ model: "tiny", baseUrl: b.server.origin, store: b.store, ...fields });
const slow = { chunks: Array.from({ length: 50 }, (_, i) => `word${i} `), chunkDelayMs: 40 };

/** The ways into a text model, to its text. */
const WAYS = [
  ["invoke", (model: OptimizedOllama, options: object) => model.invoke("How are you?", options)],
  [
    "stream",
    async (model: OptimizedOllama, options: object) => {
      let text = "";
      for await (const piece of await model.stream("How are you?", options)) text += piece;
      return text;
    },
  ],
] as const;

describe.each(WAYS)("%s", (_, ask) => {
  test("gives the text; the decision with its outcome and the figures are in the generation", async () => {
    await using b = await bench("Fine, thanks.");
    let generation: Generation | undefined;
    const callbacks = [
      {
        handleLLMEnd: (result: { generations: Generation[][] }) => {
          generation = result.generations[0]![0];
        },
      },
    ];
    expect(await ask(textModel(b), { callbacks, numCtx: 8192, keepAlive: "1h" })).toBe("Fine, thanks.");
    expect(generation?.generationInfo).toMatchObject({
      done_reason: "stop",
      eval_count: expect.any(Number),
      total_duration: expect.any(Number),
      optimizer: { numCtx: 8192, outcome: { error: null } },
    });
    expect(generation?.generationInfo).not.toHaveProperty("context");
    expect(b.bodies()[0]).toMatchObject({ prompt: "How are you?", keep_alive: "1h", truncate: false });
    expect(await b.records()).toHaveLength(1);
  });

  test("an abort rejects at once and stops the server", async () => {
    await using b = await bench({ delayMs: 10_000 }, { realTime: true });
    const stop = new AbortController();
    const call = ask(textModel(b), { signal: stop.signal });
    setTimeout(() => stop.abort(), 100);
    await expect(call).rejects.toMatchObject({ name: "AbortError" });
    await until(() => b.server.state().every(({ users }) => users === 0));
  });

  test("a timeout rejects", async () => {
    await using b = await bench({ delayMs: 10_000 }, { realTime: true });
    await expect(ask(textModel(b), { timeout: 100 })).rejects.toMatchObject({ name: "TimeoutError" });
  });

  test("a refusal comes at once, typed", async () => {
    await using b = await bench();
    await expect(ask(textModel(b, { model: "absent" }), {})).rejects.toMatchObject({
      code: "MODEL_NOT_FOUND",
      status_code: 404,
    });
    await expect(ask(textModel(b), { numCtx: -1 })).rejects.toMatchObject({ code: "OPTION_INVALID" });
  });

  test("a server that is down is not asked for a minute", async () => {
    const b = await bench();
    const model = textModel(b);
    await b.server.close();
    await expect(ask(model, {})).rejects.toMatchObject({ code: "SERVER_UNREACHABLE" });
  });

  test("nothing is added with optimize: false", async () => {
    await using b = await bench();
    await ask(textModel(b, { optimize: false }), {});
    expect(b.bodies()[0]).toEqual({ model: "tiny", prompt: "How are you?", options: {}, stream: true });
  });
});

test.each([
  ...WAYS,
  ["batch", (model: OptimizedOllama, options: object) => model.batch(["How are you?"], options)],
  [
    "streamEvents",
    async (model: OptimizedOllama, options: object) => {
      for await (const _ of model.streamEvents("How are you?", { ...options, version: "v2" }));
    },
  ],
  ["generate", (model: OptimizedOllama, options: object) => model.generate(["How are you?"], options)],
] as const)("%s: a timeout beside a signal rejects however often memory is tidied up", async (_, ask) => {
  setFlagsFromString("--expose-gc");
  const tidyUp = runInNewContext("gc") as () => void;
  await using b = await bench({ delayMs: 60_000 }, { realTime: true });
  const call = ask(textModel(b), { timeout: 200, signal: new AbortController().signal });
  const tidying = setInterval(tidyUp, 30);
  const late = new Promise((resolve) => setTimeout(resolve, 3_000));
  await expect(Promise.race([call, late])).rejects.toMatchObject({ name: "TimeoutError" });
  clearInterval(tidying);
});

test("leaving the stream stops the server", async () => {
  await using b = await bench(slow, { realTime: true });
  for await (const _ of await textModel(b).stream("a")) break;
  await until(() => b.server.requests.some(({ aborted }) => aborted));
});

test("a prompt that fits no window is a ContextOverflowError", async () => {
  await using b = await bench("ok", { models: [{ name: "tiny", trainedNumCtx: 2048 }] });
  const call = textModel(b, { onOverflow: "trim" }).invoke("words and ".repeat(5_000));
  await expect(call).rejects.toSatisfy(ContextOverflowError.isInstance);
});

test("/opt is removed from prompt and cache key, and its reserve counts", async () => {
  await using b = await bench();
  const model = textModel(b, { optimize: "command", cache: new InMemoryCache() });
  await model.invoke("/opt reserve=2500 a");
  await model.invoke("/opt a");
  expect(b.bodies().map(({ prompt }) => prompt)).toEqual(["a"]);
  expect((await b.records())[0]!.decision).toMatchObject({ outputReserve: 2500 });
});

test("two prompts in one generate each have their own reply", async () => {
  await using b = await bench(({ messages }) => `You said ${messages.at(-1)?.content}`);
  const { generations } = await textModel(b).generate(["a", "b"]);
  expect(generations.map(([first]) => first!.text)).toEqual(["You said a", "You said b"]);
});

test("getNumTokens answers with and without the server", async () => {
  const b = await bench();
  expect(await textModel(b).getNumTokens("Count these words.")).toBeGreaterThan(2);
  await b.server.close();
  expect(await textModel(b).getNumTokens("Count other words.")).toBeGreaterThan(2);
});

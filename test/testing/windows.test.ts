import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { generationOf } from "../../src/testing/generation.js";
import {
  type OllamaServer,
  type OllamaServerOptions,
  scriptedEngine,
  startOllamaServer,
} from "../../src/testing/index.js";
import { cutPrompt, effectiveWindow, exceedsWindow, fittingMessages } from "../../src/testing/windows.js";
import { ask, loaded, words } from "./call.js";

let server: OllamaServer;
const start = async (options: OllamaServerOptions): Promise<void> => {
  server = await startOllamaServer({ models: [{ name: "tiny", trainedNumCtx: 8192 }], ...options });
};
afterEach(() => server?.close());

describe("the silent cut", () => {
  it.each([
    ["0.34.0", 515],
    ["0.30.1", 1023],
    ["0.24.0", 1024],
    ["0.12.0", 1024],
  ])(
    "leaves of a prompt that is too long for 1,024 on %s: %i tokens, with status 200",
    async (version, left) => {
      await start({ version });
      const reply = await ask(server, words(3000), { options: { num_ctx: 1024 } });
      expect(reply).toMatchObject({ status: 200, prompt_eval_count: left, done: true });
      expect(server.requests.at(-1)?.facts).toMatchObject({ promptEvalCount: left, cut: true });
      expect(server.requests.at(-1)?.facts?.promptTokens).toBeGreaterThan(3000);
    },
  );

  it("keeps the head and the end, and never more than the window", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 400 }),
        fc.integer({ min: 4, max: 300 }),
        fc.integer({ min: -1, max: 20 }),
        fc.boolean(),
        fc.constantFrom("0.24.0", "0.30.1", "0.34.0"),
        (length, numCtx, numKeep, addsBos, version) => {
          const tokens = Array.from({ length }, (_, index) => index);
          const cut = cutPrompt(tokens, { numCtx, numKeep, addsBos }, generationOf(version));
          expect(cut.length).toBeLessThanOrEqual(numCtx);
          expect(cut.length).toBeGreaterThan(0);
          // What is kept in front is numKeep tokens and a bos.
          if (numKeep >= 0 && cut.length > numKeep + 1) expect(cut.at(-1)).toBe(length - 1);
          expect(cut).toEqual([...cut].sort((a, b) => a - b));
          expect(new Set(cut).size).toBe(cut.length);
        },
      ),
    );
  });

  it("drops whole messages first, but neither system messages nor the last one", async () => {
    await start({});
    const old = words(500);
    const messages = [
      { role: "system", content: "to" },
      { role: "user", content: old },
      { role: "assistant", content: old },
      { role: "user", content: "be" },
    ];
    await ask(server, "", { messages, options: { num_ctx: 600 } });
    expect(server.requests.at(-1)?.facts).toMatchObject({ droppedMessages: 1, cut: true });
    await ask(server, "", { messages, options: { num_ctx: 300 } });
    expect(server.requests.at(-1)?.facts).toMatchObject({ droppedMessages: 2, cut: true });
    expect(server.requests.at(-1)?.facts?.promptEvalCount).toBeLessThan(40);
  });

  it("keeps the system messages and a tail of the list, whatever the counts", () => {
    const message = fc.record({ role: fc.constantFrom("system", "user", "assistant"), size: fc.nat(50) });
    fc.assert(
      fc.property(fc.array(message, { minLength: 1 }), fc.nat(300), (messages, numCtx) => {
        const kept = fittingMessages(
          messages,
          (list) => list.reduce((sum, { size }) => sum + size, 0),
          numCtx,
        );
        expect(kept.at(-1)).toBe(messages.at(-1));
        expect(kept.filter(({ role }) => role === "system")).toEqual(
          messages.filter(({ role }) => role === "system"),
        );
      }),
    );
  });
});

describe("truncate: false", () => {
  it("is refused as JSON inside the error string since 0.30", async () => {
    await start({});
    const reply = await ask(server, words(3000), { truncate: false, options: { num_ctx: 1024 } });
    expect(reply.status).toBe(400);
    const { error } = JSON.parse(reply.error as string);
    expect(error).toMatchObject({ type: "exceed_context_size_error", n_ctx: 1024 });
    expect(error.n_prompt_tokens).toBe(server.requests.at(-1)?.facts?.promptTokens);
  });

  it("is refused with a sentence before", async () => {
    await start({ version: "0.24.0" });
    const reply = await ask(server, words(3000), { truncate: false, options: { num_ctx: 1024 } });
    expect(reply).toMatchObject({ status: 400, error: "the input length exceeds the context length" });
  });

  it("means nothing to servers before 0.12.6", async () => {
    await start({ version: "0.12.5" });
    const reply = await ask(server, words(3000), { truncate: false, options: { num_ctx: 1024 } });
    expect(reply).toMatchObject({ status: 200, prompt_eval_count: 1024 });
  });

  it("reloads to the window asked for before it refuses", async () => {
    await start({});
    await ask(server, "hi", { options: { num_ctx: 8192 } });
    const reply = await ask(server, words(5000), { truncate: false });
    expect(reply.status).toBe(400);
    expect(await loaded(server)).toMatchObject([{ context_length: 4096 }]);
    expect(server.loads).toHaveLength(2);
  });

  it("refuses a prompt that fills the padded window since 0.30, one token more than the window before", () => {
    expect(exceedsWindow(511, 436, generationOf("0.34.0"))).toBe(false);
    expect(exceedsWindow(512, 436, generationOf("0.34.0"))).toBe(true);
    expect(exceedsWindow(436, 436, generationOf("0.24.0"))).toBe(false);
    expect(exceedsWindow(437, 436, generationOf("0.24.0"))).toBe(true);
  });
});

describe("the window", () => {
  it.each([
    [1_000_000, 8192],
    [0, 4],
    [-5, 4],
    [null, 4096],
    [undefined, 4096],
  ])("num_ctx %s loads %i", async (numCtx, window) => {
    await start({});
    await ask(server, "hi", { options: { num_ctx: numCtx, num_predict: 4 } });
    expect(await loaded(server)).toMatchObject([{ context_length: window }]);
    expect(effectiveWindow(numCtx ?? 4096, 8192)).toBe(window);
  });

  it("is by GPU memory where nobody says", async () => {
    await start({ models: [{ name: "tiny" }], vramBytes: 24 * 2 ** 30 });
    await ask(server, "hi");
    expect(await loaded(server)).toMatchObject([{ context_length: 32_768 }]);
  });

  it("comes from the Modelfile before the server's default", async () => {
    await start({ models: [{ name: "tiny", parameters: { num_ctx: 6000 } }], defaultNumCtx: 2048 });
    await ask(server, "hi");
    expect(await loaded(server)).toMatchObject([{ context_length: 6000 }]);
  });
});

describe("output and window", () => {
  it("shifts silently: the reply passes the window and still says stop", async () => {
    await start({ engine: scriptedEngine({ reply: { outputTokens: 438 } }) });
    const reply = await ask(server, "hi", { options: { num_ctx: 256 } });
    expect(reply).toMatchObject({ done_reason: "stop", eval_count: 438 });
    expect(server.requests.at(-1)?.facts?.shifted).toBe(true);
  });

  it("ends in length at num_predict, without a reload", async () => {
    await start({ engine: scriptedEngine({ reply: { outputTokens: 438 } }) });
    await ask(server, "hi", { options: { num_ctx: 256 } });
    const reply = await ask(server, "hi", { options: { num_ctx: 256, num_predict: 20 } });
    expect(reply).toMatchObject({ done_reason: "length", eval_count: 20 });
    expect(server.loads).toHaveLength(1);
  });

  it("is at most ten windows", async () => {
    await start({ engine: scriptedEngine({ reply: { outputTokens: Number.POSITIVE_INFINITY } }) });
    expect(await ask(server, "hi", { options: { num_ctx: 512 } })).toMatchObject({
      done_reason: "length",
      eval_count: 5120,
    });
  });

  it("stops at the window with shift: false before 0.30", async () => {
    await start({ version: "0.24.0", engine: scriptedEngine({ reply: { outputTokens: 500 } }) });
    const reply = await ask(server, "hi", { shift: false, options: { num_ctx: 256 } });
    expect(reply.done_reason).toBe("length");
    expect((reply.eval_count as number) + (reply.prompt_eval_count as number)).toBe(257);
  });

  it("refuses a long prompt with shift: false since 0.30", async () => {
    await start({});
    const reply = await ask(server, words(3000), { shift: false, options: { num_ctx: 1024 } });
    expect(reply.status).toBe(400);
    expect(reply.error).toMatch(/^the prompt is longer than the context length/);
  });
});

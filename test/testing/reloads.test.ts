import { afterEach, describe, expect, it } from "vitest";
import {
  manualClock,
  type OllamaServer,
  type OllamaServerOptions,
  scriptedEngine,
  startOllamaServer,
} from "../../src/testing/index.js";
import { ask, get, loaded, post, words } from "./call.js";

let server: OllamaServer;
const start = async (options: OllamaServerOptions): Promise<void> => {
  server = await startOllamaServer({ loadMs: 300, ...options });
};
afterEach(() => server?.close());

/** Two calls; whether the second one loaded. */
async function reloads(first: object, second: object): Promise<boolean> {
  await ask(server, "hi", { ...first });
  const reply = await ask(server, "hi", { ...second });
  const slow = (reply.load_duration as number) > 100e6;
  expect(server.loads).toHaveLength(slow ? 2 : 1);
  return slow;
}

describe.each(["0.34.0", "0.24.0"])("a loaded model on %s", (version) => {
  const options = (first: object): object => ({ options: first });

  it.each([
    ["the same window", { num_ctx: 4096 }, { num_ctx: 4096 }, false],
    ["a smaller window", { num_ctx: 4096 }, { num_ctx: 2048 }, true],
    ["windows that the engine pads alike", { num_ctx: 436 }, { num_ctx: 500 }, true],
    ["another batch", {}, { num_batch: 256 }, true],
    ["a batch left out", { num_ctx: 4096, num_batch: 256 }, { num_ctx: 4096 }, true],
    ["a window left out", { num_ctx: 2048 }, {}, true],
    ["the default made explicit", {}, { num_ctx: 4096 }, false],
    ["null for a window", { num_ctx: 2048 }, { num_ctx: null }, true],
    ["the same window above the trained one", { num_ctx: 1e6 }, { num_ctx: 1e6 }, false],
    ["another number of threads", {}, { num_thread: 2 }, true],
    [
      "another temperature",
      { temperature: 0 },
      { temperature: 1, num_predict: 5, num_keep: 9, seed: 3 },
      false,
    ],
    ["all layers on the GPU left to the server", { num_gpu: 5 }, {}, false],
    ["a number of layers", {}, { num_gpu: 5 }, true],
  ])("is asked for %s", async (_, first, second, reloaded) => {
    await start({ version, models: [{ name: "tiny", trainedNumCtx: 8192 }] });
    expect(await reloads(options(first), options(second))).toBe(reloaded);
  });

  it("says so by load_duration, else only a few milliseconds", async () => {
    await start({ version });
    const first = await ask(server, "hi");
    const second = await ask(server, "hi");
    expect(first.load_duration).toBeGreaterThanOrEqual(300e6);
    expect(second.load_duration).toBeLessThan(20e6);
  });

  it("is shared by two names of one blob, and listed under the one that loaded it", async () => {
    const blob = "ab".repeat(32);
    await start({
      version,
      models: [
        { name: "tiny", blob },
        { name: "other", blob },
      ],
    });
    await ask(server, "hi");
    const reply = await ask(server, "hi", { model: "other" });
    expect(reply.load_duration).toBeLessThan(20e6);
    expect(await loaded(server)).toMatchObject([{ name: "tiny:latest" }]);
    await ask(server, "hi", { model: "other", options: { num_ctx: 8192 } });
    expect(await loaded(server)).toMatchObject([{ name: "other:latest", context_length: 8192 }]);
  });

  it("is reloaded by a probe or an embedding without its options", async () => {
    await start({ version });
    await ask(server, "hi", { options: { num_ctx: 2048 } });
    const probe = await ask(server, "hi", { _debug_render_only: true });
    expect((probe._debug_info as { rendered_template: string }).rendered_template).toBe(
      "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n",
    );
    await ask(server, "hi", { options: { num_ctx: 2048 } });
    const { status } = await post(server, "/api/embed", { model: "tiny", input: "hi" });
    expect(status).toBe(version === "0.34.0" ? 501 : 200);
    expect(server.loads.map(({ numCtx }) => numCtx)).toEqual([2048, 4096, 2048, 4096]);
  });

  it("waits for running calls before it is reloaded", async () => {
    const clock = manualClock();
    await start({
      version,
      clock,
      engine: scriptedEngine({ reply: ({ index }) => ({ delayMs: index === 0 ? 50 : 0 }) }),
    });
    const slow = ask(server, "hi");
    while (clock.sleepers === 0) await new Promise((resolve) => setImmediate(resolve));
    const other = ask(server, "hi", { options: { num_ctx: 2048 } });
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(server.loads).toHaveLength(1);
    clock.advance(50);
    expect((await slow).status).toBe(200);
    expect((await other).status).toBe(200);
    expect(server.loads).toHaveLength(2);
  });
});

describe("what differs between the generations", () => {
  it("shift: false reloads since 0.30 only", async () => {
    await start({ version: "0.34.0" });
    expect(await reloads({}, { shift: false })).toBe(true);
    await server.close();
    await start({ version: "0.24.0" });
    expect(await reloads({}, { shift: false })).toBe(false);
  });

  it("the trained window after a clamped one reloads on 0.24.0 only, which compares what was asked for", async () => {
    const models = [{ name: "tiny", trainedNumCtx: 8192 }];
    await start({ version: "0.34.0", models });
    expect(await reloads({ options: { num_ctx: 1e6 } }, { options: { num_ctx: 8192 } })).toBe(false);
    await server.close();
    await start({ version: "0.24.0", models });
    expect(await reloads({ options: { num_ctx: 1e6 } }, { options: { num_ctx: 8192 } })).toBe(true);
  });

  it("the batch is 512 up to 0.24 and follows the window since 0.30", async () => {
    await start({ version: "0.34.0" });
    for (const num_ctx of [4096, 8192, 65_536]) await ask(server, "hi", { options: { num_ctx } });
    expect(server.loads.map(({ numBatch }) => numBatch)).toEqual([512, 1024, 2048]);
    await server.close();
    await start({ version: "0.24.0" });
    await ask(server, "hi", { options: { num_ctx: 65_536 } });
    expect(server.loads).toMatchObject([{ numBatch: 512 }]);
  });
});

describe("keep_alive", () => {
  it("unloads after five minutes from the end of the last call, by the given clock", async () => {
    const clock = manualClock();
    await start({ clock });
    await ask(server, "hi");
    clock.advance(4 * 60_000);
    await ask(server, "hi");
    clock.advance(4 * 60_000);
    expect(await loaded(server)).toHaveLength(1);
    clock.advance(60_000);
    expect(await loaded(server)).toEqual([]);
    expect((await ask(server, "hi")).load_duration).toBeGreaterThanOrEqual(300e6);
    expect(server.loads.map(({ reason }) => reason)).toEqual(["first", "first"]);
  });

  it.each([
    [-1, true],
    ["24h", true],
    ["1h30m", true],
    [10, false],
    ["300ms", false],
  ])("of %s is still loaded after an hour: %s", async (keep_alive, stays) => {
    const clock = manualClock();
    await start({ clock });
    await ask(server, "hi", { keep_alive });
    clock.advance(3_600_000);
    expect(await loaded(server)).toHaveLength(stays ? 1 : 0);
  });

  it("stays as it was when it is left out", async () => {
    const clock = manualClock();
    await start({ clock });
    await ask(server, "hi", { keep_alive: "1h" });
    await ask(server, "hi");
    clock.advance(30 * 60_000);
    expect(await loaded(server)).toHaveLength(1);
  });

  it("of 0 without a question unloads, and without it loads", async () => {
    await start({});
    const load = await post(server, "/api/generate", { model: "tiny", options: { num_ctx: 2048 } });
    expect(load.lines).toMatchObject([{ response: "", done: true, done_reason: "load" }]);
    expect(server.state()).toMatchObject([{ numCtx: 2048 }]);
    const unload = await post(server, "/api/chat", { model: "tiny", keep_alive: 0 });
    expect(unload.lines).toMatchObject([{ done: true, done_reason: "unload" }]);
    expect(server.state()).toEqual([]);
  });
});

describe("memory", () => {
  const mebibyte = 2 ** 20;
  const big = { weightBytes: 600 * mebibyte, kvBytesPerToken: 16_384, computeBytesPerBatchToken: 0 };

  it("evicts another model when both do not fit", async () => {
    await start({
      memoryBytes: 1000 * mebibyte,
      models: [
        { name: "tiny", ...big },
        { name: "other", ...big },
      ],
    });
    await ask(server, "hi");
    await ask(server, "hi", { model: "other" });
    expect(await loaded(server)).toMatchObject([{ name: "other:latest" }]);
    expect(server.loads.at(-1)?.evicted).toEqual(["tiny:latest"]);
  });

  it("keeps both where there is room", async () => {
    await start({
      memoryBytes: 2000 * mebibyte,
      models: [
        { name: "tiny", ...big },
        { name: "other", ...big },
      ],
    });
    await ask(server, "hi");
    await ask(server, "hi", { model: "other" });
    expect(await loaded(server)).toHaveLength(2);
  });

  it("spills from GPU memory, and is slower for it", async () => {
    await start({ vramBytes: 700 * mebibyte, models: [{ name: "tiny", ...big }] });
    const fast = await ask(server, words(100), { options: { num_ctx: 4096 } });
    expect(await loaded(server)).toMatchObject([{ size: 664 * mebibyte, size_vram: 664 * mebibyte }]);
    const slow = await ask(server, words(100), { options: { num_ctx: 32_768 } });
    expect(await loaded(server)).toMatchObject([{ size: 1112 * mebibyte, size_vram: 700 * mebibyte }]);
    expect(slow.eval_duration).toBeGreaterThan(2 * (fast.eval_duration as number));
  });

  it("is all in main memory on a CPU machine", async () => {
    await start({});
    await ask(server, "hi");
    expect((await loaded(server))[0]).toMatchObject({ size_vram: 0 });
  });

  it.each([
    ["0.34.0", /^llama-server reported out-of-memory during startup/],
    ["0.24.0", /^model requires more system memory \(2\.6 GiB\) than is available \(1000\.0 MiB\)$/],
  ])("out of it on %s, a load fails with 500", async (version, text) => {
    await start({ version, memoryBytes: 1000 * mebibyte, models: [{ name: "tiny", ...big }] });
    const reply = await ask(server, "hi", { options: { num_ctx: 131_072 } });
    expect(reply.status).toBe(500);
    expect(reply.error).toMatch(text);
    expect(server.loads[0]?.error).toMatch(text);
    expect(server.state()).toEqual([]);
    expect((await ask(server, "hi", { options: { num_ctx: 4096 } })).status).toBe(200);
  });

  it("lowers a window that nobody set, since 0.30", async () => {
    await start({
      memoryBytes: 50 * 2 ** 30,
      vramBytes: 48 * 2 ** 30,
      models: [{ name: "tiny", weightBytes: 40 * 2 ** 30, kvBytesPerToken: 262_144, trainedNumCtx: 262_144 }],
    });
    await ask(server, "hi");
    expect(server.state()).toMatchObject([{ numCtx: 32_768 }]);
  });
});

describe("the prefix cache", () => {
  it("makes a repeated prompt cheap, and counts it since 0.33.3", async () => {
    await start({ version: "0.34.0" });
    const first = await ask(server, words(1000));
    const second = await ask(server, words(1000));
    const count = first.prompt_eval_count as number;
    expect(first.prompt_eval_cached_count).toBe(0);
    expect(second).toMatchObject({ prompt_eval_count: count, prompt_eval_cached_count: count - 1 });
    expect(second.prompt_eval_duration).toBeLessThan((first.prompt_eval_duration as number) / 100);
    await server.close();
    await start({ version: "0.24.0" });
    await ask(server, words(1000));
    const old = await ask(server, words(1000));
    expect(old).not.toHaveProperty("prompt_eval_cached_count");
    expect(old.prompt_eval_duration).toBeLessThan(10e6);
  });

  it.each([
    ["0.34.0", true],
    ["0.24.0", false],
  ])("still knows a prompt after another one on %s: %s", async (version, knows) => {
    await start({ version });
    const [a, b] = [`a${words(500)}`, `b${words(500)}`];
    const cold = (await ask(server, a)).prompt_eval_duration as number;
    await ask(server, b);
    expect(((await ask(server, a)).prompt_eval_duration as number) < cold / 10).toBe(knows);
  });

  it("is lost with a reload", async () => {
    await start({});
    await ask(server, words(500));
    await ask(server, "hi", { options: { num_ctx: 2048 } });
    expect(await ask(server, words(500))).toMatchObject({ prompt_eval_cached_count: 0 });
  });
});

it("lists what is loaded with all its fields", async () => {
  const clock = manualClock(Date.UTC(2026, 5, 1));
  await start({ clock });
  await ask(server, "hi", { keep_alive: "10m" });
  expect(await get(server, "/api/ps")).toMatchObject({
    models: [
      { model: "tiny:latest", expires_at: "2026-06-01T00:10:00.000Z", context_length: 4096, size_vram: 0 },
    ],
  });
});

import { describe, expect, test } from "vitest";
import { nodeTransport } from "../../src/backend/transport.js";
import { type CalibrationOptions, calibrate } from "../../src/calibration/calibrate.js";
import { seededRandom } from "../../src/calibration/prose.js";
import { predictedBytes } from "../../src/optimizer/memoryModel.js";
import {
  type OllamaServer,
  type OllamaServerOptions,
  startOllamaServer,
  type TestModel,
} from "../../src/testing/index.js";

const GIB = 2 ** 30;
const plenty = () => ({ freeBytes: 32 * GIB, totalBytes: 64 * GIB });

/** Rates that rise to 1,000 tokens per second at a batch of 256. */
const saturating = (numBatch: number): number => 1000 * Math.min(1, numBatch / 256) ** 0.5;

async function server(
  model: Partial<TestModel> = {},
  options: OllamaServerOptions = {},
): Promise<OllamaServer> {
  return startOllamaServer({
    models: [{ name: "tiny", promptTokensPerSecond: saturating, ...model }, { name: "other" }],
    ...options,
  });
}

function calibration(ollama: OllamaServer, options: Partial<CalibrationOptions> = {}) {
  return calibrate({
    server: { origin: ollama.origin, transport: nodeTransport },
    model: "tiny",
    budgetMs: 100_000,
    memory: plenty,
    now: Date.now,
    random: seededRandom(1),
    signal: new AbortController().signal,
    ...options,
  });
}

async function call(ollama: OllamaServer, model: string, options: object, keepAlive?: number): Promise<void> {
  const body = JSON.stringify({ model, prompt: "Hi", options, stream: false, keep_alive: keepAlive });
  await (await fetch(`${ollama.origin}/api/generate`, { method: "POST", body })).text();
}

describe.each(["0.34.0", "0.24.0"])("on Ollama %s", (version) => {
  test("memory, rates, loads and the prefix cache are what the server has", async () => {
    await using ollama = await server({}, { version });
    const found = await calibration(ollama);
    expect(found.line!.bytesPerToken).toBeCloseTo(4096, 6);
    // The server here counts a buffer by batch, as 0.34.0 does, so the formula adds the mask.
    expect(found.formulaBytesPerToken).toBe(4096 + 2 * found.numBatch!);
    for (const { numBatch, rate } of found.batches) {
      expect(rate.value / saturating(numBatch)).toBeCloseTo(1, 1);
    }
    expect(found.loadMs!.value).toBeCloseTo(300, -1);
    expect(found.prefixCache!.leftShare.value).toBeLessThan(0.05);
    expect(found.uncertain).toEqual([]);
    expect(found.largestWindow).toEqual({ numCtx: 131_072, limit: "trained" });
  });

  test("memory at a window that was never loaded is predicted", async () => {
    await using ollama = await server({ trainedNumCtx: 40_000 }, { version });
    const { line, numBatch, check, memory } = await calibration(ollama);
    expect(Math.abs(check!.predictedBytes / check!.measuredBytes - 1)).toBeLessThan(0.05);
    const unseen = 12_800;
    expect(memory.map(({ numCtx }) => numCtx)).not.toContain(unseen);
    await call(ollama, "tiny", { num_ctx: unseen, num_batch: numBatch });
    expect(predictedBytes(line!, unseen) / ollama.state()[0]!.sizeBytes).toBeCloseTo(1, 2);
  });
});

test("the smallest batch within 10 % of the best is chosen", async () => {
  await using ollama = await server({
    promptTokensPerSecond: (batch) => (batch < 128 ? 850 : batch < 512 ? 930 : 1000),
  });
  const { numBatch, isBatchSure } = await calibration(ollama);
  expect([numBatch, isBatchSure]).toEqual([128, true]);
});

test("noisy rates are measured again until they are narrow", async () => {
  const random = seededRandom(3);
  const noisy = (batch: number): number => saturating(batch) * (1 + 0.1 * (random() - 0.5));
  await using ollama = await server({ promptTokensPerSecond: noisy });
  const { batches, numBatch, uncertain } = await calibration(ollama);
  expect(uncertain).toEqual([]);
  expect(batches.find((batch) => batch.numBatch === numBatch)!.rate.samples).toBeGreaterThan(2);
  expect(saturating(numBatch!)).toBeGreaterThanOrEqual(0.85 * 1000);
  // The smallest one is out of the race after its first readings.
  expect(batches[0]!.rate.samples).toBe(2);
});

test("when time is over it says what is not sure, and that the batch is none to decide by", async () => {
  const random = seededRandom(3);
  const wild = (batch: number): number => saturating(batch) * (0.2 + 2 * random());
  await using ollama = await server({ promptTokensPerSecond: wild });
  let now = 0;
  const { uncertain, isBatchSure, tookMs } = await calibration(ollama, {
    budgetMs: 60_000,
    now: () => (now += 1000),
  });
  expect(isBatchSure).toBe(false);
  expect(uncertain.join()).toMatch(/prompt rate with a batch of \d+: ±\d+ %, wanted ±5 %/);
  expect(tookMs).toBeLessThan(75_000);
});

test("nothing is loaded that free memory cannot hold", async () => {
  await using ollama = await server();
  // One GiB is left alone; beside it there is room for 100 MB.
  let looks = 0;
  const memory = () => {
    looks++;
    const used = ollama.state().reduce((bytes, { sizeBytes }) => bytes + sizeBytes, 0);
    return { freeBytes: GIB + 150e6 - used, totalBytes: 2 * GIB };
  };
  const { largestWindow } = await calibration(ollama, { memory });
  expect(largestWindow.limit).toBe("freeMemory");
  expect(largestWindow.numCtx).toBeGreaterThan(8192);
  expect(Math.max(...ollama.loads.map(({ numCtx }) => numCtx * 4096 + 13.5e6))).toBeLessThan(150e6);
  expect(looks).toBeGreaterThan(4);
});

test("a model that memory cannot hold at all is not loaded", async () => {
  await using ollama = await server();
  const memory = () => ({ freeBytes: GIB, totalBytes: 2 * GIB });
  await expect(calibration(ollama, { memory })).rejects.toMatchObject({ code: "MEMORY_SHORT" });
  expect(ollama.loads).toEqual([]);
});

test("without sight of the memory no window above the first is tried", async () => {
  await using ollama = await server();
  const { largestWindow } = await calibration(ollama, { memory: () => null });
  expect(largestWindow).toEqual({ numCtx: 4096, limit: "unknownMemory" });
  expect(Math.max(...ollama.loads.map(({ numCtx }) => numCtx))).toBe(4096);
});

test("a window that runs out of memory becomes a ceiling, and a smaller one is found", async () => {
  await using ollama = await server({}, { memoryBytes: 200e6 });
  const { largestWindow, ceiling } = await calibration(ollama);
  expect(largestWindow.limit).toBe("outOfMemory");
  expect(ceiling!.numCtx).toBeGreaterThan(largestWindow.numCtx);
  expect(largestWindow.numCtx).toBeGreaterThanOrEqual(0.7 * ((200e6 - 13.5e6) / 4096));
});

test("the largest window without a spill is found on a GPU", async () => {
  await using ollama = await server({}, { vramBytes: 100e6 });
  const { largestWindow, memory } = await calibration(ollama);
  expect(largestWindow.limit).toBe("spill");
  const best = memory.find(({ numCtx }) => numCtx === largestWindow.numCtx)!;
  expect(best.vramBytes).toBe(best.sizeBytes);
  expect(best.sizeBytes).toBeGreaterThan(0.75 * 100e6);
});

describe("what was loaded before", () => {
  test("is loaded again, with its window and its time", async () => {
    await using ollama = await server();
    await call(ollama, "tiny", { num_ctx: 6144 }, 1000);
    await call(ollama, "other", { num_ctx: 2048 }, -1);
    const { notRestored } = await calibration(ollama);
    expect(notRestored).toEqual([]);
    const loaded = ollama.state().map(({ name, numCtx }) => [name, numCtx]);
    expect(loaded).toEqual(
      expect.arrayContaining([
        ["tiny:latest", 6144],
        ["other:latest", 2048],
      ]),
    );
    const left = (name: string) => ollama.state().find((slot) => slot.name === name)!.expiresAt - Date.now();
    expect(left("tiny:latest") / 1000).toBeGreaterThan(900);
    expect(left("tiny:latest") / 1000).toBeLessThanOrEqual(1001);
    expect(left("other:latest")).toBe(Number.POSITIVE_INFINITY);
  });

  test("stays unloaded when it was", async () => {
    await using ollama = await server();
    await calibration(ollama);
    expect(ollama.state()).toEqual([]);
  });

  test("comes back with the batch that the optimizer had sent with the same window", async () => {
    await using ollama = await server();
    await call(ollama, "tiny", { num_ctx: 6144, num_batch: 128 });
    await calibration(ollama, { lastOptions: () => ({ num_ctx: 6144, num_batch: 128 }) });
    expect(ollama.state()).toMatchObject([{ name: "tiny:latest", numCtx: 6144, numBatch: 128 }]);
  });

  test("comes back after an abort in the middle, and the abort is told", async () => {
    await using ollama = await server();
    await call(ollama, "tiny", { num_ctx: 6144 });
    const stop = new AbortController();
    const onStep = (step: string): void => {
      if (step.includes("batch of 256")) stop.abort();
    };
    await expect(calibration(ollama, { signal: stop.signal, onStep })).rejects.toMatchObject({
      name: "AbortError",
    });
    expect(ollama.state()).toMatchObject([{ name: "tiny:latest", numCtx: 6144 }]);
  });

  test("comes back after a failure of the server", async () => {
    await using ollama = await server();
    await call(ollama, "tiny", { num_ctx: 6144 });
    let steps = 0;
    const onStep = (): void => {
      if (++steps === 4) ollama.failNext({ path: "/api/generate", kind: "serverBusy" });
    };
    await expect(calibration(ollama, { onStep })).rejects.toMatchObject({ code: "SERVER_BUSY" });
    expect(ollama.state()).toMatchObject([{ name: "tiny:latest", numCtx: 6144 }]);
  });

  test("another name of the same weights is found and put back", async () => {
    const blob = "ab".repeat(32);
    const models = [
      { name: "tiny", blob },
      { name: "alias", blob },
    ];
    await using ollama = await startOllamaServer({ models });
    await call(ollama, "alias", { num_ctx: 6144 });
    await calibration(ollama);
    expect(ollama.state()).toMatchObject([{ name: "alias:latest", numCtx: 6144 }]);
  });
});

describe("other programs", () => {
  test("that load the model once in between spoil one measurement", async () => {
    await using ollama = await server();
    let done = false;
    const transport: typeof nodeTransport = async (url, init) => {
      if (!done && url.endsWith("/api/generate") && ollama.loads.length === 4) {
        done = true;
        await call(ollama, "tiny", { num_ctx: 2048 });
      }
      return nodeTransport(url, init);
    };
    const found = await calibration(ollama, { server: { origin: ollama.origin, transport } });
    expect(found.disturbed).toBe(1);
    expect(found.uncertain).toEqual([]);
    for (const { numBatch, rate } of found.batches)
      expect(rate.value / saturating(numBatch)).toBeCloseTo(1, 1);
  });

  test("that load it all the time end the calibration", async () => {
    await using ollama = await server();
    const transport: typeof nodeTransport = async (url, init) => {
      if (ollama.loads.length > 3) await call(ollama, "tiny", { num_ctx: 2048 });
      return nodeTransport(url, init);
    };
    const run = calibration(ollama, { server: { origin: ollama.origin, transport } });
    await expect(run).rejects.toMatchObject({ code: "MODEL_IN_USE" });
  });
});

describe("a model", () => {
  test("that is not there is answered with those that are", async () => {
    await using ollama = await server();
    const run = calibration(ollama, { model: "tinny" });
    await expect(run).rejects.toMatchObject({ code: "MODEL_NOT_FOUND" });
    await expect(run).rejects.toThrow(/no model "tinny"; it has tiny:latest, other:latest/);
  });

  test("is found without its tag and in any case", async () => {
    await using ollama = await server({ trainedNumCtx: 4096 });
    expect((await calibration(ollama, { model: "Tiny" })).model).toBe("tiny:latest");
  });

  test("that only embeds is refused", async () => {
    await using ollama = await startOllamaServer({ models: [{ name: "tiny", capabilities: ["embedding"] }] });
    await expect(calibration(ollama)).rejects.toMatchObject({ code: "MODEL_UNSUITABLE" });
    expect(ollama.loads).toEqual([]);
  });

  test("trained for less than the first window is measured within what it was trained for", async () => {
    await using ollama = await server({ trainedNumCtx: 1024 });
    const { largestWindow, memory } = await calibration(ollama);
    expect(largestWindow).toEqual({ numCtx: 1024, limit: "trained" });
    expect(Math.max(...memory.map(({ numCtx }) => numCtx))).toBe(1024);
  });
});

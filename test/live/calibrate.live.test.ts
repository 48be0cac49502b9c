/**
 * A calibration against what real servers load: memory figures, what is put back, the next decision.
 *
 *   node scripts/ollama/serve.mjs -- npx vitest run --config vitest.live.config.ts test/live/calibrate.live.test.ts
 */
import { beforeEach, expect, test } from "vitest";
import { nodeTransport } from "../../src/backend/transport.js";
import { type CalibrationOptions, calibrate } from "../../src/calibration/calibrate.js";
import type { Calibration } from "../../src/calibration/calibration.js";
import { profileOf } from "../../src/calibration/evidence.js";
import { seededRandom } from "../../src/calibration/prose.js";
import { machineMemory } from "../../src/cli/machineMemory.js";
import { serverId } from "../../src/engine/serverId.js";
import { chooseBatch } from "../../src/optimizer/batch.js";
import { predictedBytes } from "../../src/optimizer/memoryModel.js";
import { memoryStore } from "../../src/storage/memory.js";
import {
  callOfAnother,
  decisionOf,
  loadedModels,
  nothingLoaded,
  onEachOllama,
  post,
  smallChat,
} from "./ollama.js";

const calibration = (
  origin: string,
  model: string,
  options: Partial<CalibrationOptions> = {},
): Promise<Calibration> =>
  calibrate({
    server: { origin, transport: nodeTransport },
    model,
    budgetMs: 40_000,
    memory: machineMemory,
    now: Date.now,
    random: seededRandom(Date.now()),
    signal: new AbortController().signal,
    ...options,
  });

/** Bytes that the server says it takes with these options. */
async function loadedBytes(origin: string, model: string, options: object): Promise<number> {
  await (await post(origin, "/api/generate", { model, prompt: "", options, stream: false })).text();
  const [loaded] = (await loadedModels(origin)) as readonly { readonly size?: number }[];
  return loaded!.size!;
}

onEachOllama((origin, version) => {
  beforeEach(() => nothingLoaded(origin));

  test.each([
    ["smollm2", 30_000, [1536, 3328, 6656]],
    ["random", 15_000, [1536, 10_240, 50_000]],
  ])(
    "what %s takes is predicted at windows it never loaded, as the cache's formula says",
    async (model, budgetMs, windows) => {
      const { line, numBatch, memory, formulaBytesPerToken } = await calibration(origin, model, { budgetMs });
      // A machine too slow to choose a batch in the time leaves the choice to Ollama, which differs by window.
      if (numBatch !== null)
        expect(Math.abs(line!.bytesPerToken / formulaBytesPerToken! - 1)).toBeLessThan(0.1);
      for (const numCtx of windows.filter((numCtx) => numBatch !== null || numCtx <= 4_096)) {
        expect(memory.some((point) => point.numCtx === numCtx)).toBe(false);
        const options = { num_ctx: numCtx, ...(numBatch && { num_batch: numBatch }) };
        const measured = await loadedBytes(origin, model, options);
        expect(Math.abs(predictedBytes(line!, numCtx) / measured - 1), `${numCtx}`).toBeLessThan(0.05);
      }
    },
  );

  test("what was loaded comes back: the model's window and the other model", async () => {
    await callOfAnother(origin, "random", 2_048);
    await callOfAnother(origin, "random-qwen", 1_024);
    const { notRestored } = await calibration(origin, "random", { budgetMs: 8_000 });
    expect(notRestored).toEqual([]);
    const loaded = (await loadedModels(origin)).map(({ name, context_length: numCtx }) => [name, numCtx]);
    expect(loaded.sort()).toEqual([
      ["random-qwen:latest", 1_024],
      ["random:latest", 2_048],
    ]);
  });

  test("an abort in the middle of a load puts back what was loaded", async () => {
    await callOfAnother(origin, "random", 2_048);
    const stop = new AbortController();
    const onStep = (step: string): void => {
      if (step.includes("batch of 128")) setTimeout(() => stop.abort(), 20);
    };
    await expect(calibration(origin, "random", { signal: stop.signal, onStep })).rejects.toMatchObject({
      name: "AbortError",
    });
    expect(await loadedModels(origin)).toMatchObject([{ name: "random:latest", context_length: 2_048 }]);
  });

  test("the next load takes the batch that the evidence says, and the memory model is the measured one", async () => {
    const found = await calibration(origin, "random", { budgetMs: 20_000 });
    const store = memoryStore();
    const sure = { ...found, isBatchSure: true };
    await store.merge("profiles", profileOf(sure, serverId(origin), version, undefined, Date.now()));
    const [profile] = [...store.list("profiles")];
    expect(chooseBatch(profile!.batches, false)).toBe(found.numBatch);
    // What was just unloaded is listed for a moment, and would be kept.
    await nothingLoaded(origin);
    const decision = decisionOf(await smallChat(origin, { store }).invoke("Hello"));
    expect(decision.numBatch).toBe(Math.min(found.numBatch!, decision.numCtx!));
    expect([...store.list("profiles")][0]!.memory.length).toBeGreaterThanOrEqual(profile!.memory.length);
  });
});

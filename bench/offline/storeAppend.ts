/** What it costs to keep a request: held up (the call itself) and until it is durable. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type RequestRecord, SCHEMA_VERSION } from "../../src/records.js";
import { openJsonStore } from "../../src/storage/json/openJsonStore.js";
import { memoryStore } from "../../src/storage/memory.js";
import type { OptimizerStore } from "../../src/storage/store.js";
import { type Benchmark, type Figure, quantile } from "../figures.js";

export const storeAppend: Benchmark = {
  title: "Keeping a request",
  async run({ short }) {
    const folder = await mkdtemp(join(tmpdir(), "store-bench-"));
    try {
      const json = openJsonStore(folder);
      await json.ready();
      const figures = [
        ...(await append("in memory", memoryStore(), short)),
        ...(await append("in a folder", json, short)),
      ];
      await json.close();
      return figures;
    } finally {
      await rm(folder, { recursive: true });
    }
  },
};

async function append(name: string, store: OptimizerStore, short: boolean): Promise<Figure[]> {
  const calls: number[] = [];
  const durable: number[] = [];
  for (let index = 0; index < (short ? 100 : 500); index++) {
    const start = performance.now();
    const done = store.append(request(`${name} ${index}`));
    calls.push(performance.now() - start);
    await done;
    durable.push(performance.now() - start);
  }
  const start = performance.now();
  const many = short ? 1_000 : 5_000;
  await Promise.all(
    Array.from({ length: many }, (_, index) => store.append(request(`${name}, many ${index}`))),
  );
  const seconds = (performance.now() - start) / 1e3;
  for (const list of [calls, durable]) list.sort((a, b) => a - b);
  return [
    { what: `${name}: held up, p50`, value: 1e3 * quantile(calls, 0.5), unit: "us" },
    { what: `${name}: durable, p50`, value: quantile(durable, 0.5), unit: "ms" },
    { what: `${name}: ${many} at once`, value: many / seconds, unit: "/s" },
  ];
}

function request(id: string): RequestRecord {
  return {
    schemaVersion: SCHEMA_VERSION,
    id,
    at: new Date().toISOString(),
    source: "model",
    serverId: "http://127.0.0.1:11434",
    model: "tiny",
    digest: "0".repeat(64),
    templateId: "template",
    promptHash: "1".repeat(64),
    inputTokens: 12,
    promptTokens: 812,
    outputTokens: 64,
    cachedTokens: 700,
    totalMs: 1_834.2,
    loadMs: 41.7,
    promptMs: 120.4,
    outputMs: 1_650.3,
    timeToFirstTokenMs: 170,
    numCtx: 8_192,
    numBatch: null,
    modelBytes: 2e9,
    modelVramBytes: 2e9,
    doneReason: "stop",
    toolCalls: 0,
    quality: 1,
    error: null,
    decision: null,
    runId: null,
  };
}

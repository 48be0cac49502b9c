/** Faults that really happen, on the embedded server, and what the report says of them. */
import { afterEach, expect, test } from "vitest";
import { reportOf } from "../../src/analysis/report.js";
import { reportMarkdown } from "../../src/analysis/reportMarkdown.js";
import { OptimizedChatOllama } from "../../src/chatModel/optimizedChatOllama.js";
import type { RequestRecord } from "../../src/records.js";
import { memoryStore } from "../../src/storage/memory.js";
import type { OptimizerStore } from "../../src/storage/store.js";
import {
  type Engine,
  type OllamaServer,
  scriptedEngine,
  startOllamaServer,
} from "../../src/testing/index.js";

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function setUp(
  options: Parameters<typeof startOllamaServer>[0],
  modelOptions: object = {},
): Promise<{ server: OllamaServer; store: OptimizerStore; model: OptimizedChatOllama }> {
  const server = await startOllamaServer(options);
  const store = memoryStore();
  const model = new OptimizedChatOllama("tiny", { baseUrl: server.origin, store, ...modelOptions });
  closing.push(
    () => store.close(),
    () => server.close(),
  );
  return { server, store, model };
}

async function logOf(store: OptimizerStore): Promise<RequestRecord[]> {
  await store.flush();
  const records: RequestRecord[] = [];
  for await (const record of store.requests()) records.push(record);
  return records;
}

/** What the report found, without calls that were merely slow. */
async function findings(records: readonly RequestRecord[]) {
  const report = await reportOf(records, { now: Date.now() + 86_400_000 });
  const found = report.findings.filter(({ kind }) => kind !== "spike");
  return { found, markdown: reportMarkdown(report), recommendations: report.recommendations };
}

// Loads are told from warm calls by their durations, which a stalled machine blurs.
test("another client that keeps loading a window of its own is a reload storm", { retry: 2 }, async () => {
  const { server, store, model } = await setUp({ models: [{ name: "tiny" }] });
  const prompt = "word ".repeat(3000);
  for (let call = 0; call < 8; call++) await model.invoke(`${call} ${prompt}`);
  expect((await findings(await logOf(store))).found).toEqual([]);

  for (let call = 0; call < 8; call++) {
    await fetch(`${server.origin}/api/generate`, {
      method: "POST",
      body: JSON.stringify({ model: "tiny", prompt: "hi", stream: false, options: { num_ctx: 512 } }),
    });
    await model.invoke(`${call} again ${prompt}`);
  }

  const { found, markdown, recommendations } = await findings(await logOf(store));
  expect(server.loads.length).toBeGreaterThanOrEqual(16);
  expect(found).toMatchObject([{ kind: "reloadStorm", cause: "reload" }]);
  expect(markdown).toContain("Reload storm: tiny was loaded 5 times");
  expect(recommendations[0]?.text).toContain("same window");
});

test("a disk that became slow is named by the loads that take longer", async () => {
  let isSlow = false;
  const inner = scriptedEngine();
  const engine: Engine = {
    ...inner,
    load: async (request) => {
      if (isSlow) await request.clock.sleep(450);
      return inner.load(request);
    },
  };
  const { store, model } = await setUp({ models: [{ name: "tiny" }], engine, loadMs: 300 }, { keepAlive: 0 });
  for (let call = 0; call < 10; call++) await model.invoke(`call ${call}`);
  isSlow = true;
  for (let call = 0; call < 5; call++) await model.invoke(`slow ${call}`);
  // As if somebody had asked every ten minutes: then each load is due, and only their duration is news.
  const records = (await logOf(store)).map((record, index) => ({
    ...record,
    at: new Date(Date.parse(record.at) + index * 600_000).toISOString(),
  }));

  const before = await findings(records.slice(0, 10));
  const { found, markdown } = await findings(records);
  expect(before.found).toEqual([]);
  expect(found).toMatchObject([{ kind: "slowLoads", cause: "slowDisk", times: 1 }]);
  expect(markdown).toContain("the disk that models are loaded from is slow");
});

test("memory that every call takes and none gives back is a leak", async () => {
  const leaked: Buffer[] = [];
  let leaks = false;
  const reply = () => {
    if (leaks) leaked.push(Buffer.alloc(2 * 2 ** 20, 1));
    return "ok";
  };
  const { store, model } = await setUp({ models: [{ name: "tiny" }], engine: scriptedEngine({ reply }) });
  // As the host sampler does every ten seconds, after each call: the memory that this process really has.
  const samples: NonNullable<RequestRecord["host"]>[] = [];
  const call = async (text: string) => {
    await model.invoke(text);
    const memoryUsedBytes = process.memoryUsage().arrayBuffers + 200 * 2 ** 20;
    samples.push({ cpuPercent: 10 + (samples.length % 3), memoryUsedBytes, memoryTotalBytes: 2 ** 33 });
  };
  const measured = async () =>
    (await logOf(store)).map((record, index) => ({ ...record, host: samples[index]! }));
  for (let index = 0; index < 30; index++) await call(`steady ${index}`);
  expect((await findings(await measured())).found).toEqual([]);

  leaks = true;
  for (let index = 0; index < 60; index++) await call(`leaking ${index}`);

  const { found, markdown, recommendations } = await findings(await measured());
  expect(leaked).toHaveLength(60);
  expect(found.find(({ kind }) => kind === "memoryGrowth")).toMatchObject({ cause: "memoryLeak" });
  expect(markdown).toContain("something leaks memory");
  expect(recommendations.map(({ text }) => text).join()).toContain("See which process grows");
});

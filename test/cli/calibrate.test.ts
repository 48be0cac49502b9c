import { mkdtempSync, rmSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { runCommandLine } from "../../src/cli/commandLine.js";
import { COMMANDS } from "../../src/cli/commands.js";
import { OptimizedChatOllama } from "../../src/index.js";
import type { DecisionRecord, ProfileRecord } from "../../src/records.js";
import { openJsonStore } from "../../src/storage/json/openJsonStore.js";
import { type OllamaServer, startOllamaServer } from "../../src/testing/index.js";

let folder: string;
let ollama: OllamaServer;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "calibrate-"));
  ollama = await startOllamaServer({
    models: [
      {
        name: "tiny",
        trainedNumCtx: 16_384,
        promptTokensPerSecond: (batch) => (batch < 128 ? 500 : batch < 512 ? 950 : 1000),
      },
    ],
  });
});
afterEach(async () => {
  await ollama.close();
  rmSync(folder, { recursive: true, force: true });
});

async function run(args: readonly string[], signal = new AbortController().signal) {
  let out = "";
  let err = "";
  const code = await runCommandLine(["calibrate", ...args], COMMANDS, "1.0.0", {
    environment: { OLLAMA_HOST: ollama.origin, OPTIMIZER_STORE: folder },
    out: { write: (text) => (out += text) },
    err: { write: (text) => (err += text) },
    signal,
  });
  return { code, out, err };
}

async function profiles(): Promise<readonly ProfileRecord[]> {
  const store = openJsonStore(folder);
  await store.ready();
  const list = [...store.list("profiles")];
  await store.close();
  return list;
}

const decisionOf = (reply: { readonly response_metadata: Record<string, unknown> }): DecisionRecord =>
  reply.response_metadata.optimizer as DecisionRecord;

test("the next load of a chat model takes the calibrated batch", async () => {
  const { code, err } = await run(["tiny"]);
  expect([code, err.includes(":")]).toEqual([0, false]);
  const model = new OptimizedChatOllama({ model: "tiny", baseUrl: ollama.origin, store: folder });
  const { action, numBatch } = decisionOf(await model.invoke("Hello"));
  await model.store.close();
  expect([action, numBatch]).toEqual(["load", 128]);
  expect(ollama.loads.at(-1)).toMatchObject({ numBatch: 128 });
});

test("a chat model that runs already takes it when it grows, and reloads for nothing else", async () => {
  const model = new OptimizedChatOllama({
    model: "tiny",
    baseUrl: ollama.origin,
    store: folder,
    numPredict: 8,
  });
  const before = decisionOf(await model.invoke("Hello"));
  // Then it renders no more probes, which would load its own window in between.
  await expect.poll(async () => (await model.countTokens("Hello")).source, { timeout: 10_000 }).toBe("exact");
  await model.store.flush();
  expect(await run(["tiny"])).toMatchObject({ code: 0 });
  // What another program stored is seen within a second.
  await expect
    .poll(() => [...model.store.list("profiles")][0]?.batches?.length, { timeout: 10_000 })
    .toBeGreaterThan(1);
  const loads = ollama.loads.length;
  const kept = decisionOf(await model.invoke("Hello again"));
  expect(ollama.loads).toHaveLength(loads);
  const grown = decisionOf(await model.invoke("many words ".repeat(5000)));
  await model.store.close();
  expect([before.action, before.numBatch]).toEqual(["load", null]);
  expect([kept.action, kept.numBatch]).toEqual(["keep", null]);
  expect([grown.action, grown.numBatch]).toEqual(["grow", 128]);
});

test("the profile holds batches, memory, loads and when it was measured", async () => {
  await run(["tiny"]);
  const [profile, ...others] = await profiles();
  expect(others).toEqual([]);
  expect(profile!.batches.slice(0, 5).map(({ numBatch }) => numBatch)).toEqual([64, 128, 256, 512, 1024]);
  expect(profile!.memory.length).toBeGreaterThan(6);
  expect(profile!.loadMs.length).toBeGreaterThan(3);
  expect(profile).toMatchObject({
    trainedNumCtx: 16_384,
    models: ["tiny:latest"],
    calibration: { version: "0.34.0" },
  });
});

test("people get a table, a chart and what follows; programs get JSON", async () => {
  const { out } = await run(["tiny", "--dry-run"]);
  expect(out).toMatch(/^tiny:latest on Ollama 0\.34\.0\n/);
  expect(out).toMatch(/ 128 #+ +950 ±0 %, \d+ MB {2}<- chosen/);
  expect(out).toMatch(/largest window +16,384, all that it was trained for/);
  expect(out).toMatch(/memory per 1,024 tokens of window +4\.2 MB/);
  expect(out.includes("\u001b")).toBe(false);
  const { numBatch, line, server } = JSON.parse((await run(["tiny", "--dry-run", "--json"])).out);
  expect([numBatch, server]).toEqual([128, ollama.origin]);
  expect(line.bytesPerToken).toBeCloseTo(4096);
});

test("--dry-run keeps nothing", async () => {
  await run(["tiny", "--dry-run"]);
  expect(await profiles()).toEqual([]);
});

test("a wrong name is answered with the models there are", async () => {
  const { code, err, out } = await run(["tinny"]);
  expect([code, out]).toEqual([1, ""]);
  expect(err).toMatch(/MODEL_NOT_FOUND: Ollama has no model "tinny"; it has tiny:latest\. Name one of them/);
});

test.each([
  [[], /No model was named/],
  [["a", "b"], /More than one model/],
  [["tiny", "--seconds", "soon"], /--seconds is "soon"/],
  [["tiny", "--memory", "-1"], /--memory/],
])("%j is refused", async (args, words) => {
  const { code, err } = await run(args);
  expect(code).toBe(2);
  expect(err).toMatch(words);
  expect(ollama.loads).toEqual([]);
});

test("a store of a newer version is refused before anything is loaded", async () => {
  await writeFile(join(folder, "store.json"), JSON.stringify({ schemaVersion: 99, kind: "store" }));
  const { code, err } = await run(["tiny"]);
  expect(code).toBe(1);
  expect(err).toMatch(/STORE_NEWER: .*schema version 99.*Update langchain-ollama-optimizer/);
  expect(ollama.loads).toEqual([]);
});

test("Ctrl-C ends it with 130, keeps nothing and puts back what was loaded", async () => {
  const body = JSON.stringify({ model: "tiny", prompt: "Hi", options: { num_ctx: 6144 }, stream: false });
  await (await fetch(`${ollama.origin}/api/generate`, { method: "POST", body })).text();
  const stop = new AbortController();
  const running = run(["tiny"], stop.signal);
  await expect.poll(() => ollama.loads.length, { interval: 5 }).toBeGreaterThan(3);
  stop.abort();
  expect((await running).code).toBe(130);
  expect(await profiles()).toEqual([]);
  expect(ollama.state()).toMatchObject([{ name: "tiny:latest", numCtx: 6144 }]);
});

test("without a server it is told in one line", async () => {
  const { origin } = ollama;
  await ollama.close();
  const { code, err } = await run(["tiny"]);
  expect(code).toBe(1);
  expect(err).toMatch(new RegExp(`^SERVER_UNREACHABLE: No answer from Ollama at ${origin}`));
  ollama = await startOllamaServer();
});

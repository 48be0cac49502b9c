import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { findLog, readLog } from "../../../src/cli/doctor/serverLog.js";

/** Lines of real servers: those that say nothing here were left out, and folders were renamed. */
const recorded = (version: string): string =>
  readFileSync(new URL(`../../fixtures/serveLogs/${version}.txt`, import.meta.url), "utf8");

test("settings, the default window, flash attention and loads are read from 0.34.0's log", () => {
  const facts = readLog(recorded("0.34.0"));
  const blob = "686ca66978f503c05bac06fe8cfb27df6dea2427edf637e7b5fa79f4c4034df9";
  expect(facts).toMatchObject({
    port: 36_537,
    defaultNumCtx: 4096,
    flashAttention: true,
    cacheType: "f16",
    cuts: 0,
  });
  expect(facts.settings).toMatchObject({
    OLLAMA_NUM_PARALLEL: "1",
    OLLAMA_KV_CACHE_TYPE: "",
    OLLAMA_CONTEXT_LENGTH: "0",
  });
  expect(facts.loads).toEqual([4096, 512, 4096].map((numCtx) => ({ blob, numCtx })));
});

test("the same is read from 0.24.0's log, and which prompts were cut", () => {
  const facts = readLog(recorded("0.24.0"));
  expect(facts).toMatchObject({ defaultNumCtx: 4096, flashAttention: true, cacheType: "f16", cuts: 2 });
  expect(facts.loads.map(({ numCtx }) => numCtx)).toEqual([256, 4096, 4096, 8192]);
  expect(new Set(facts.loads.map(({ blob }) => blob))).toEqual(
    new Set(["766d97e8dd527c80802646188235449c6d5f90882e30bf7953859e53a24d47c4"]),
  );
});

test("the window is what one call gets, however many share the cache", () => {
  const four = recorded("0.34.0").replaceAll("-c 4096 -np 1", "-c 16384 -np 4");
  expect(readLog(four).loads[0]!.numCtx).toBe(4096);
  const old = recorded("0.24.0").replaceAll("Parallel:1", "Parallel:2");
  expect(readLog(old).loads.map(({ numCtx }) => numCtx)).toEqual([128, 2048, 2048, 4096]);
});

test("flash attention that was set, and the cache that it permits, are read from both", () => {
  expect(readLog(recorded("0.34.0-quantized-cache"))).toMatchObject({
    flashAttention: true,
    cacheType: "q8_0",
  });
  expect(readLog(recorded("0.24.0-no-flash-attention"))).toMatchObject({
    flashAttention: false,
    cacheType: "f16",
    failedLoads: 0,
  });
});

test("loads that failed are no loads, and why the last one did is told", () => {
  const log = recorded("0.34.0-loads-fail");
  expect(readLog(log.replace(/\n[^\n]*(?:\n[^\n]*)\n$/, "\n"))).toMatchObject({
    loads: [],
    failedLoads: 1,
    lastFailure: "llama_init_from_model: quantized V cache requires flash_attn to be enabled",
  });
  // The next one has begun, which says nothing of how it will end.
  expect(readLog(log)).toMatchObject({
    loads: [{ numCtx: 4096 }],
    failedLoads: 1,
    lastFailure: expect.stringMatching(/quantized/),
  });
  for (const started of ["llama-server started in 0.25 seconds", "llama runner started in 0.33 seconds"]) {
    expect(readLog(`${log}time=2026 msg="${started}"\n`)).toMatchObject({
      failedLoads: 1,
      lastFailure: null,
    });
  }
});

test("only what came since the last start counts", () => {
  const twice = `${recorded("0.24.0")}${recorded("0.34.0")}`;
  expect(readLog(twice)).toEqual(readLog(recorded("0.34.0")));
});

test("calls of the OpenAI surface are counted, lists of models are not", () => {
  const gin = (path: string): string =>
    `[GIN] 2026/11/21 - 12:54:19 | 200 | 388.06ms | 127.0.0.1 | POST     "${path}"\n`;
  const log = recorded("0.34.0") + gin("/v1/chat/completions") + gin("/v1/models") + gin("/v1/messages");
  expect(readLog(log).compatibleCalls).toBe(2);
  expect(readLog(recorded("0.34.0")).compatibleCalls).toBe(0);
});

test("a text that is no log says nothing", () => {
  expect(readLog("hello\n")).toEqual({
    port: null,
    settings: {},
    defaultNumCtx: null,
    flashAttention: null,
    cacheType: null,
    loads: [],
    failedLoads: 0,
    lastFailure: null,
    compatibleCalls: 0,
    cuts: 0,
  });
});

test("of a long log the end is read", async () => {
  const folder = mkdtempSync(join(tmpdir(), "log-"));
  const file = join(folder, "ollama.log");
  writeFileSync(file, `${"x".repeat(5 * 2 ** 20)}\n${recorded("0.34.0")}`);
  const text = await findLog({ file, platform: "linux", environment: {} });
  rmSync(folder, { recursive: true });
  expect(text!.length).toBeLessThan(4.1 * 2 ** 20);
  expect(readLog(text!).loads).toHaveLength(3);
});

test("a system without a log has none", async () => {
  expect(
    await findLog({ file: undefined, platform: "win32", environment: { LOCALAPPDATA: "/nowhere" } }),
  ).toBeNull();
  await expect(findLog({ file: "/nowhere/ollama.log", platform: "linux", environment: {} })).rejects.toThrow(
    "ENOENT",
  );
});

test("the start is found also where a long day lies between it and the end", async () => {
  const folder = mkdtempSync(join(tmpdir(), "log-"));
  try {
    const file = join(folder, "server.log");
    const call = '[GIN] 2026/11/21 - 10:00:00 | 200 | 10ms | 127.0.0.1 | POST "/api/chat"\n';
    writeFileSync(file, `${recorded("0.34.0")}${call.repeat(80_000)}`);
    const log = await findLog({ file, platform: "linux", environment: {} });
    expect(readLog(log!)).toMatchObject({ port: 36_537, defaultNumCtx: 4096, flashAttention: true });
  } finally {
    rmSync(folder, { recursive: true });
  }
});

import { describe, expect, test } from "vitest";
import { calibrationFindings } from "../../../src/cli/doctor/calibrated.js";
import { clientFindings } from "../../../src/cli/doctor/clients.js";
import { engineFindings } from "../../../src/cli/doctor/engine.js";
import type { Finding } from "../../../src/cli/doctor/finding.js";
import { memoryFindings } from "../../../src/cli/doctor/memory.js";
import { loadedFindings, modelFindings } from "../../../src/cli/doctor/models.js";
import { readLog } from "../../../src/cli/doctor/serverLog.js";
import { versionFindings } from "../../../src/cli/doctor/version.js";

const worst = (findings: readonly Finding[]) =>
  findings.filter(({ severity }) => severity !== "ok" && severity !== "note");
const text = (findings: readonly Finding[]): string =>
  findings.map((found) => `${found.text} ${found.remedy}`).join("\n");

describe("the version", () => {
  test.each(["0.12.5", "0.6.7", "0.1.0"])(
    "%s cannot refuse a prompt: an error with the remedy to update",
    (version) => {
      const [error] = worst(versionFindings(version));
      expect(error).toMatchObject({ severity: "error" });
      expect(error!.remedy).toMatch(/^Update Ollama: https:\/\/ollama\.com\/download/);
    },
  );

  test.each([
    ["0.12.6", "cut to what fits the window"],
    ["0.24.0", "without its length"],
    ["0.30.5", "the window less one token"],
    ["0.34.0", "cut to half the window"],
    ["v0.34.1-rc2", "with its length"],
  ])("%s: %s", (version, words) => {
    expect(text(versionFindings(version))).toContain(words);
    expect(worst(versionFindings(version))).toEqual([]);
  });

  test("0.30.0 miscounts", () => {
    expect(worst(versionFindings("0.30.0"))).toHaveLength(1);
  });

  test("a build from source says nothing about itself", () => {
    for (const version of ["0.0.0", "unknown", ""]) {
      expect(versionFindings(version)).toMatchObject([{ severity: "note" }]);
    }
  });
});

const model = (name: string, blob: string, parameters = "", size = 1e9) => ({
  model: { name, model: name, digest: name, size },
  facts: {
    modelfile: `FROM /models/blobs/sha256-${blob.repeat(64)}`,
    parameters,
    capabilities: ["completion"],
    model_info: { "general.architecture": "llama", "llama.context_length": 8192 },
  },
});

describe("models", () => {
  test("none is an error that says how to get one", () => {
    expect(modelFindings([])).toMatchObject([
      { severity: "error", remedy: expect.stringContaining("ollama pull") },
    ]);
  });

  test("two names of one blob with different windows reload each other", () => {
    const [warning] = worst(
      modelFindings([model("a:1", "a", "num_ctx                        16384"), model("b:1", "a")]),
    );
    expect(warning!.text).toContain("a:1 (16,384), b:1 (default)");
    expect(
      worst(modelFindings([model("a:1", "a"), model("b:1", "a"), model("c:1", "b", "num_ctx 512")])),
    ).toEqual([]);
  });

  test("what the server tells nothing about is to be installed anew", () => {
    const { model: broken } = model("a:1", "a");
    expect(worst(modelFindings([{ model: broken, facts: null }]))[0]!.remedy).toMatch(
      /ollama rm a:1 && ollama pull a:1/,
    );
  });

  test("a spilled model is a warning with its share, one on the GPU is fine, one on the CPU is a note", () => {
    const entry = { name: "a:1", model: "a:1", digest: "a", size: 1000, context_length: 8192 };
    const severity = (vram: number) => loadedFindings([{ ...entry, size_vram: vram }])[0]!.severity;
    expect([1000, 750, 0].map(severity)).toEqual(["ok", "warning", "note"]);
    expect(loadedFindings([{ ...entry, size_vram: 750 }])[0]).toMatchObject({
      text: expect.stringContaining("25 % spilled"),
      remedy: expect.stringContaining("calibrate a:1"),
    });
  });
});

test("little free memory is a warning; models larger than it are named", () => {
  const models = [model("small:1", "a"), model("large:1", "b", "", 9e9)];
  expect(worst(memoryFindings({ freeBytes: 5e9, totalBytes: 16e9 }, models))).toEqual([]);
  expect(text(memoryFindings({ freeBytes: 5e9, totalBytes: 16e9 }, models))).toMatch(
    /Larger than the free.*: large:1\./,
  );
  expect(worst(memoryFindings({ freeBytes: 1e9, totalBytes: 16e9 }, models))).toHaveLength(1);
  expect(memoryFindings(null, models)).toMatchObject([{ severity: "note" }]);
});

describe("the engine", () => {
  const log = (settings: string, more = ""): ReturnType<typeof readLog> =>
    readLog(
      `msg="server config" env="map[${settings}]"\nmsg="vram-based default context" default_num_ctx=4096\n${more}`,
    );

  test("without a log it says how to have one", () => {
    expect(engineFindings(null)).toMatchObject([{ remedy: expect.stringContaining("--log FILE") }]);
  });

  test("the default window is the environment's before the one by GPU memory", () => {
    expect(text(engineFindings(log("OLLAMA_CONTEXT_LENGTH:0")))).toContain(
      "get 4,096 tokens (by the size of GPU memory)",
    );
    expect(text(engineFindings(log("OLLAMA_CONTEXT_LENGTH:8192")))).toContain(
      "get 8,192 tokens (OLLAMA_CONTEXT_LENGTH)",
    );
  });

  test("no flash attention, and a cache type that was not used, are warnings with the variable to set", () => {
    const off = worst(engineFindings(log("", "llama_context: Flash Attention was auto, set to disabled")));
    expect(off).toMatchObject([{ remedy: expect.stringContaining("OLLAMA_FLASH_ATTENTION=1") }]);
    const f16 =
      "llama_kv_cache: size =   16.00 MiB (  4096 cells,   4 layers,  1/1 seqs), K (f16):    8.00 MiB";
    const ignored = worst(engineFindings(log("OLLAMA_KV_CACHE_TYPE:q8_0", f16)));
    expect(ignored).toMatchObject([{ text: "OLLAMA_KV_CACHE_TYPE is q8_0, but the last load used f16." }]);
  });

  test("a last load that failed is an error with what to change", () => {
    const failed =
      'msg="Load failed" model=/a error="exit status 1: a\\nquantized V cache requires flash_attn to be enabled"\n';
    expect(worst(engineFindings(log("", failed)))).toMatchObject([
      {
        severity: "error",
        text: "1 load failed since the server's start, the last one for: quantized V cache requires flash_attn to be enabled.",
        remedy: expect.stringMatching(/OLLAMA_FLASH_ATTENTION=1, or no OLLAMA_KV_CACHE_TYPE/),
      },
    ]);
    const after = 'msg="llama-server started in 0.25 seconds"\n';
    expect(worst(engineFindings(log("", failed + after)))).toEqual([]);
  });

  test("parallel calls multiply the memory of a window", () => {
    expect(text(engineFindings(log("OLLAMA_NUM_PARALLEL:4")))).toContain("4 times the memory");
  });
});

describe("clients", () => {
  const entry = (numCtx: number) => [
    { name: "a:1", model: "a:1", digest: "a", size: 1, size_vram: 0, context_length: numCtx },
  ];
  const none = { looks: [], log: null, profiles: [] };
  const loads = (windows: readonly number[]) => ({
    ...readLog(""),
    loads: windows.map((numCtx) => ({ blob: "ab".repeat(32), numCtx })),
  });

  test("a window that changes while it is watched is a fight", () => {
    const [warning] = clientFindings({ ...none, looks: [entry(4096), entry(4096), entry(16_384)] });
    expect(warning).toMatchObject({ severity: "warning", text: expect.stringContaining("4,096 and 16,384") });
    expect(clientFindings({ ...none, looks: [entry(4096), [], entry(4096)] })).toMatchObject([
      { severity: "ok" },
    ]);
  });

  test("windows that go up and down in the log are a fight, growth is none", () => {
    expect(worst(clientFindings({ ...none, log: loads([4096, 16_384, 4096, 16_384, 4096]) }))).toHaveLength(
      1,
    );
    expect(worst(clientFindings({ ...none, log: loads([2048, 4096, 8192, 16_384, 32_768]) }))).toEqual([]);
    expect(worst(clientFindings({ ...none, log: loads([8192, 4096]) }))).toEqual([]);
  });

  test("foreign windows that calls met are told from the store", () => {
    const profiles = [{ models: ["a:1"], counts: { calls: 40, foreignReloads: 7 } }];
    expect(text(clientFindings({ ...none, profiles }))).toContain(
      "Of 40 calls to a:1, 7 met a window that another program had loaded",
    );
  });
});

test("a model that was calibrated on another version is to be measured again", () => {
  const profile = { blob: "a".repeat(64), calibration: { at: "2026-11-01T00:00:00Z", version: "0.24.0" } };
  const found = (version: string) => calibrationFindings([model("m:1", "a")], [profile], version)[0];
  expect(found("0.24.0")).toMatchObject({ severity: "ok" });
  expect(found("0.34.0")).toMatchObject({
    severity: "note",
    remedy: "langchain-ollama-optimizer calibrate m:1",
  });
  expect(calibrationFindings([model("m:1", "b")], [profile], "0.24.0")[0]!.text).toContain(
    "Never calibrated: m:1.",
  );
});

import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { runCommandLine } from "../../../src/cli/commandLine.js";
import { COMMANDS } from "../../../src/cli/commands.js";
import type { Finding } from "../../../src/cli/doctor/finding.js";
import { openJsonStore } from "../../../src/storage/json/openJsonStore.js";
import { startOllamaServer } from "../../../src/testing/index.js";
import { request } from "../../contract/records.js";
import { commandLine } from "../commandLine.js";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "doctor-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

interface Surroundings {
  readonly host?: string;
  readonly isTTY?: boolean;
  readonly environment?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

async function run(
  args: readonly string[],
  { host = "http://127.0.0.1:1", isTTY, environment, signal }: Surroundings = {},
) {
  let out = "";
  let err = "";
  const code = await runCommandLine(["doctor", "--watch", "0", ...args], COMMANDS, "1.0.0", {
    environment: { OLLAMA_HOST: host, OPTIMIZER_STORE: join(folder, "store"), ...environment },
    out: { write: (text) => (out += text), isTTY },
    err: { write: (text) => (err += text) },
    signal: signal ?? new AbortController().signal,
  });
  return { code, out, err };
}

async function findings(surroundings: Surroundings = {}, args: readonly string[] = []) {
  const { code, out, err } = await run(["--json", ...args], surroundings);
  expect(err.replace(/^((asking|opening) \S+|watching which windows are loaded)\n/gm, "")).toBe("");
  const list = (JSON.parse(out) as { findings: Finding[] }).findings;
  return { code, list, worst: list.filter(({ severity }) => severity === "warning" || severity === "error") };
}

async function store(): Promise<void> {
  const opened = openJsonStore(join(folder, "store"));
  await opened.merge("profiles", { id: "s b", serverId: "s", blob: "b", models: ["tiny:latest"] });
  await opened.append(request("one"));
  await opened.append(request("two", { error: "OUT_OF_MEMORY" }));
  await opened.close();
}

test("a healthy server and store give no warning, and the exit code 0", async () => {
  await using ollama = await startOllamaServer({ models: [{ name: "tiny" }] });
  const { code, worst, list } = await findings({ host: ollama.origin });
  expect([code, worst]).toEqual([0, []]);
  expect(list.map(({ text }) => text).join("\n")).toMatch(
    /Ollama 0\.34\.0 answers.*tiny:latest: 14 MB, trained for 131,072, completion, tools/s,
  );
  expect(ollama.loads).toEqual([]);
});

test("without Ollama it says how to start it, and goes on with what there is", async () => {
  const { code, worst, list } = await findings();
  expect(code).toBe(1);
  expect(worst).toMatchObject([
    {
      topic: "server",
      severity: "error",
      text: expect.stringContaining("No answer from Ollama at http://127.0.0.1:1"),
    },
  ]);
  expect(worst[0]!.remedy).toMatch(/ollama serve/);
  expect(worst[0]!.text).not.toContain(worst[0]!.remedy);
  expect(list.map(({ topic }) => topic)).toEqual(["server", "memory", "store"]);
});

test.each([200, 404])("a server that is no Ollama is told apart (%i)", async (status) => {
  const { createServer } = await import("node:http");
  const other = createServer((_, response) => response.writeHead(status).end("<html>")).listen(
    0,
    "127.0.0.1",
  );
  await new Promise((resolve) => other.once("listening", resolve));
  const host = `http://127.0.0.1:${(other.address() as { port: number }).port}`;
  const { code, worst } = await findings({ host });
  const calibration = await commandLine(["calibrate", "tiny", "--dry-run", "--host", host]);
  other.close();
  expect(code).toBe(1);
  expect(worst[0]!.text).toMatch(/is no Ollama/);
  expect([calibration.code, calibration.err]).toEqual([
    1,
    expect.stringMatching(/^SERVER_UNREACHABLE: .*is no Ollama/m),
  ]);
});

test("a server without models is an error with the remedy", async () => {
  await using ollama = await startOllamaServer({ models: [] });
  const { code, worst } = await findings({ host: ollama.origin });
  expect(code).toBe(1);
  expect(worst).toMatchObject([
    { text: "No model is installed.", remedy: expect.stringContaining("ollama pull") },
  ]);
});

test("a dozen models are looked at without a warning of a leak", async () => {
  await using ollama = await startOllamaServer({
    models: Array.from({ length: 12 }, (_, index) => ({ name: `tiny${index}` })),
  });
  const warnings: string[] = [];
  const warned = ({ message }: Error): unknown => warnings.push(message);
  process.on("warning", warned);
  await findings({ host: ollama.origin });
  await new Promise((resolve) => setImmediate(resolve));
  process.off("warning", warned);
  expect(warnings).toEqual([]);
});

test("a spilled model is found", async () => {
  await using ollama = await startOllamaServer({ models: [{ name: "tiny" }], vramBytes: 20e6 });
  const body = JSON.stringify({ model: "tiny", prompt: "Hi", options: { num_ctx: 8192 }, stream: false });
  await (await fetch(`${ollama.origin}/api/generate`, { method: "POST", body })).text();
  const { worst, code } = await findings({ host: ollama.origin });
  expect(worst).toMatchObject([
    { topic: "memory", severity: "warning", text: expect.stringContaining("spilled") },
  ]);
  expect(code).toBe(0);
});

test("programs that load other windows while it watches are found", async () => {
  await using ollama = await startOllamaServer({ models: [{ name: "tiny" }] });
  let isOver = false;
  const fight = async (): Promise<void> => {
    for (let numCtx = 4096; !isOver; numCtx = 12_288 - numCtx) {
      const body = JSON.stringify({
        model: "tiny",
        prompt: "Hi",
        options: { num_ctx: numCtx },
        stream: false,
      });
      await (await fetch(`${ollama.origin}/api/generate`, { method: "POST", body })).text();
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  };
  const fighting = fight();
  const { worst } = await findings({ host: ollama.origin }, ["--watch", "1.5"]);
  isOver = true;
  await fighting;
  expect(worst).toMatchObject([
    { topic: "clients", text: expect.stringMatching(/windows of .*(4,096|8,192) and /) },
  ]);
});

test("what the server's log tells is used, but not the log of another server", async () => {
  await using ollama = await startOllamaServer({ models: [{ name: "tiny" }] });
  const file = join(folder, "ollama.log");
  const log = (port: string): string =>
    `msg="server config" env="map[OLLAMA_NUM_PARALLEL:4]"\nmsg="Listening on 127.0.0.1:${port} (version 0.34.0)"\n`;
  const told = async (port: string) => {
    writeFileSync(file, log(port));
    const { list } = await findings({ host: ollama.origin }, ["--log", file]);
    return list.some(({ text }) => text.includes("OLLAMA_NUM_PARALLEL"));
  };
  expect(await told(new URL(ollama.origin).port)).toBe(true);
  expect(await told("1")).toBe(false);
});

test("a log that cannot be read is an error of the call", async () => {
  const { code, err } = await run(["--log", join(folder, "none.log")]);
  expect(code).toBe(1);
  expect(err).toMatch(/^LOG_UNREADABLE: .*none\.log.*ENOENT/);
});

describe("the store", () => {
  test("that is not there is not made", async () => {
    const { list } = await findings();
    expect(list.at(-1)).toMatchObject({
      topic: "store",
      severity: "note",
      text: expect.stringContaining("no store"),
    });
    expect(existsSync(join(folder, "store"))).toBe(false);
  });

  test("is described, with what the last calls met", async () => {
    await store();
    const text = (await findings()).list.map((found) => found.text).join("\n");
    expect(text).toMatch(/0 templates, 1 profile,/);
    expect(text).toMatch(/Of the last 2 calls 1 failed: OUT_OF_MEMORY 1\./);
  });

  test("tells windows that ran out of memory while they are avoided", async () => {
    const opened = openJsonStore(join(folder, "store"));
    const at = (days: number) => new Date(Date.now() - days * 86_400_000).toISOString();
    const ceilings = [
      { numCtx: 8192, at: at(8), loadedBytes: 0 },
      { numCtx: 16_384, at: at(2), loadedBytes: 1e9 },
    ];
    await opened.merge("profiles", { id: "s b", models: ["tiny:latest"], ceilings });
    await opened.merge("profiles", { id: "s c", models: ["old:latest"], ceilings: ceilings.slice(0, 1) });
    await opened.close();
    const { list } = await findings();
    expect(list.filter(({ text }) => text.includes("ran out of memory"))).toMatchObject([
      {
        severity: "warning",
        text: expect.stringContaining("tiny:latest ran out of memory with a window of 16,384"),
      },
    ]);
  });

  test("of a newer version is an error with its remedy", async () => {
    await store();
    writeFileSync(join(folder, "store", "store.json"), JSON.stringify({ schemaVersion: 99, kind: "store" }));
    const { code, worst } = await findings();
    expect(code).toBe(1);
    expect(worst.at(-1)).toMatchObject({
      topic: "store",
      severity: "error",
      text: expect.stringMatching(/has schema version 99; this package knows up to \d+\.$/),
      remedy: expect.stringMatching(/^Update langchain-ollama-optimizer/),
    });
  });

  test("with damaged files goes on, and says which were set aside", async () => {
    await store();
    const inside = join(folder, "store", "v1");
    for (const name of readdirSync(inside)) {
      if (name.endsWith(".json")) writeFileSync(join(inside, name), '{"half');
    }
    const first = await findings();
    expect(first.worst.some(({ topic, text }) => topic === "store" && /damaged|not a whole/.test(text))).toBe(
      true,
    );
    const again = await findings();
    expect(again.worst.filter(({ topic }) => topic === "store")).toMatchObject([
      { severity: "warning", text: expect.stringMatching(/damaged files? set aside: .*damaged-/) },
    ]);
  });
});

test("people get one line a finding and the remedy below, in colours only on a terminal", async () => {
  const plain = await run([]);
  expect(plain.out).toMatch(/^server\n {2}FAIL {2}No answer.*\n {8}-> Start it/);
  expect(plain.out).toMatch(/\n1 error, 0 warnings, 1 note\.\n$/);
  expect(plain.out.includes("\u001b")).toBe(false);
  expect((await run([], { isTTY: true })).out).toContain("\u001b[31mFAIL\u001b[39m");
  expect((await run([], { isTTY: true, environment: { NO_COLOR: "1" } })).out.includes("\u001b")).toBe(false);
});

test("Ctrl-C while it watches ends it with 130", async () => {
  await using ollama = await startOllamaServer({ models: [{ name: "tiny" }] });
  const stop = new AbortController();
  const running = run(["--watch", "60"], { host: ollama.origin, signal: stop.signal });
  await expect.poll(() => ollama.requests.filter(({ path }) => path === "/api/ps").length).toBeGreaterThan(1);
  stop.abort();
  expect((await running).code).toBe(130);
});

test("a word that is no flag is refused", async () => {
  expect(await run(["now"])).toMatchObject({ code: 2, err: expect.stringContaining('"now" is too much') });
});

test("a store on a server is examined as such, and makes no folder", async () => {
  const { list } = await findings({}, ["--store", "postgres://nobody@127.0.0.1:1/none"]);
  expect(list.filter(({ topic }) => topic === "store")).toMatchObject([
    { severity: "error", text: expect.stringContaining("PostgreSQL") },
  ]);
  expect(existsSync("postgres:")).toBe(false);
}, 20_000);

test("nothing for a store is refused rather than taken for this folder", async () => {
  expect(await run(["--store", ""])).toMatchObject({
    code: 2,
    err: expect.stringContaining("--store is empty"),
  });
});

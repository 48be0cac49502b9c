import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import type {
  CallFacts,
  OllamaServer,
  OllamaServerOptions,
  ReceivedRequest,
} from "../../src/testing/index.js";
import { startOllamaServer } from "../../src/testing/index.js";
import { commandLine } from "./commandLine.js";

// The demo makes its stores in the system's folder for temporary files.
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "demo-test-"));
  vi.stubEnv("TMPDIR", folder);
});
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

let server: OllamaServer | undefined;
afterEach(async () => {
  await server?.close();
  server = undefined;
});

async function start(options: OllamaServerOptions = {}): Promise<OllamaServer> {
  server = await startOllamaServer(options);
  return server;
}

interface Ran {
  readonly exitCode: number;
  readonly out: string;
  readonly err: string;
  /** The two figures of a row. */
  row(name: string): readonly [string, string];
}

async function run(
  host: string,
  args: readonly string[],
  signal = new AbortController().signal,
): Promise<Ran> {
  const ran = await commandLine(["demo", ...args], { environment: { OLLAMA_HOST: host }, signal });
  const { code: exitCode, out, err } = ran;
  const row = (name: string): readonly [string, string] => {
    const line = out.split("\n").find((line) => line.startsWith(name)) ?? "";
    const [before = "", after = ""] = line.slice(name.length).trim().split(/ {3,}/);
    return [before, after];
  };
  return { exitCode, out, err, row };
}

type Call = ReceivedRequest & { readonly facts: CallFacts; readonly body: Readonly<Record<string, unknown>> };

/** The calls of each model as the server saw them; only the optimizer refuses to have a prompt cut. */
function calls({ requests }: OllamaServer): { readonly plain: Call[]; readonly optimized: Call[] } {
  const chats = requests.filter(
    ({ path, body, facts }) =>
      path === "/api/chat" && facts && !(body as { _debug_render_only?: boolean })._debug_render_only,
  ) as Call[];
  return {
    plain: chats.filter(({ body }) => !("truncate" in body)),
    optimized: chats.filter(({ body }) => body.truncate === false),
  };
}

const sum = (list: readonly Call[], figure: (facts: CallFacts) => number): number =>
  list.reduce((total, { facts }) => total + figure(facts), 0);
const grouped = (value: number): string => value.toLocaleString("en-US");

describe("demo", () => {
  test("prints what the server saw of both models", async () => {
    const ollama = await start({ models: [{ name: "tiny" }] });
    const { exitCode, err, out, row } = await run(ollama.origin, ["--short"]);

    expect(err).toMatch(/^Ollama at .*\n(.*: \d+ of 20 calls, .*\n)+$/);
    expect(exitCode).toBe(0);
    const { plain, optimized } = calls(ollama);
    expect([plain.length, optimized.length]).toEqual([20, 20]);
    const both = (figure: (facts: CallFacts) => number): readonly string[] => [
      grouped(sum(plain, figure)),
      grouped(sum(optimized, figure)),
    ];
    expect(row("answers to a cut prompt")).toEqual(both(({ cut }) => Number(cut)));
    expect(row("loads, the first included")).toEqual(both(({ loaded }) => Number(loaded)));
    expect(row("prompt tokens read")).toEqual(both(({ promptEvalCount }) => promptEvalCount));
    expect(row("of them from the cache")).toEqual(both(({ cachedTokens }) => cachedTokens));
    expect(row("final window")).toEqual([plain, optimized].map((list) => grouped(list.at(-1)!.facts.numCtx)));
    expect(row("calls refused")).toEqual(["0", "0"]);
    // One load more than both models made: the one that weighs the model.
    expect(ollama.loads).toHaveLength(1 + sum([...plain, ...optimized], ({ loaded }) => Number(loaded)));
    const [largest] = [...optimized].sort((a, b) => b.facts.numCtx - a.facts.numCtx);
    const kvBytes = 4096 * (largest!.facts.numCtx - 256);
    const batchBytes = 20_480 * (largest!.facts.numBatch - 256);
    expect(row("memory beyond the weights")[1]).toBe(`${Math.round((kvBytes + batchBytes) / 1e6)} MB`);

    expect(sum(plain, ({ cut }) => Number(cut))).toBeGreaterThan(0);
    const prompts = grouped(sum(plain, ({ promptTokens }) => promptTokens));
    expect(out).toContain(`The prompts have ${prompts} tokens, by the model's own tokenizer.`);
    const store = /^The store: (.+)$/m.exec(out)![1]!;
    expect(readdirSync(join(store, "v1", "requests"))).toHaveLength(1);
    expect(out).toMatch(/^The last decision: .*is kept\.$/m);
  });

  test("tells refused calls apart from cut ones", async () => {
    const ollama = await start({ models: [{ name: "tiny", trainedNumCtx: 4096 }] });
    const { row } = await run(ollama.origin, ["--short"]);

    expect(row("answers to a cut prompt")).toEqual(["2", "0"]);
    expect(row("calls refused")).toEqual(["0", "2"]);
  });

  test("says so when the server does not tell what came from the cache", async () => {
    const ollama = await start({ version: "0.24.0" });
    const { row } = await run(ollama.origin, ["--short"]);

    expect(row("of them from the cache")).toEqual(["not told", "not told"]);
  });

  test("takes the smallest model that can chat, and names it", async () => {
    const ollama = await start({
      models: [
        { name: "large", weightBytes: 9e9 },
        { name: "small", weightBytes: 1e9 },
        { name: "vectors", weightBytes: 1e6, capabilities: ["embedding"] },
      ],
    });
    const { out, err } = await run(ollama.origin, ["--short", "--json"]);

    expect(err).toContain("model small:latest, the smallest there");
    expect(JSON.parse(out)).toMatchObject({
      model: "small:latest",
      calls: 20,
      chatOllama: { cutAnswers: sum(calls(ollama).plain, ({ cut }) => Number(cut)) },
      optimizedChatOllama: { cutAnswers: 0, refused: 0 },
    });
    expect(new Set(calls(ollama).plain.map(({ body }) => body.model))).toEqual(new Set(["small:latest"]));
  });

  test.each([
    [
      "a model that is not there",
      ["--model", "qwen3:8b"],
      /^MODEL_NOT_FOUND: .* it has: tiny:latest, vectors:latest\. Run `ollama pull qwen3:8b`/,
    ],
    ["a model that cannot chat", ["--model", "vectors"], /^MODEL_UNSUITABLE: The model vectors /],
    ["an unknown option", ["--fast"], /^ARGUMENT_INVALID: demo has no flag --fast/, 2],
    ["an option without its value", ["--model"], /^ARGUMENT_INVALID: .*--model/, 2],
    ["a word that is no option", ["tiny"], /^ARGUMENT_INVALID: "tiny" is too much/, 2],
  ])("fails for %s with a remedy and no stack", async (_, args, expected, code = 1) => {
    const ollama = await start({
      models: [{ name: "tiny" }, { name: "vectors", capabilities: ["embedding"] }],
    });
    const { exitCode, err } = await run(ollama.origin, args);

    expect(exitCode).toBe(code);
    expect(err.trim()).toMatch(expected);
    expect(err).not.toContain("    at ");
  });

  test("fails for a named model when no server answers", async () => {
    // In quotes, as OLLAMA_HOST may stand in a service's file.
    const { exitCode, err } = await run('"0.0.0.0:1"', ["--model", "tiny"]);

    expect(exitCode).toBe(1);
    expect(err).toContain("SERVER_UNREACHABLE: No answer from Ollama at http://127.0.0.1:1");
  });

  test("reports a server that breaks in the middle, and leaves no store", async () => {
    const ollama = await start();
    ollama.failNext({ kind: "outOfMemory" });
    const before = readdirSync(folder);
    const { exitCode, err } = await run(ollama.origin, ["--short"]);

    expect(exitCode).toBe(1);
    expect(err).toContain("OUT_OF_MEMORY");
    expect(readdirSync(folder)).toEqual(before);
  });

  test("says what the server said when it breaks under the second model, and leaves no store", async () => {
    const ollama = await start();
    const before = readdirSync(folder);
    const running = run(ollama.origin, ["--short"]);
    await vi.waitUntil(() => calls(ollama).optimized.length > 0, { timeout: 20_000, interval: 1 });
    ollama.failNext({ path: "/api/chat", status: 500, times: 99 });
    const { exitCode, err } = await running;

    expect(exitCode).toBe(1);
    expect(err).toContain("SERVER_ERROR: Ollama answered 500");
    expect(readdirSync(folder)).toEqual(before);
  });

  test("stops when it is told to, and leaves no store", async () => {
    const ollama = await start({ realTime: true });
    const stop = new AbortController();
    const before = readdirSync(folder);
    const running = run(ollama.origin, ["--short"], stop.signal);
    await vi.waitUntil(() => calls(ollama).plain.length > 0, { timeout: 20_000 });
    stop.abort();
    const { exitCode, err } = await running;

    expect(exitCode).toBe(130);
    expect(err).toMatch(/\nStopped\.\n$/);
    expect(readdirSync(folder)).toEqual(before);
    expect(existsSync(folder)).toBe(true);
  });

  test("lists its options", async () => {
    const { exitCode, out } = await run("", ["--help"]);

    expect(exitCode).toBe(0);
    expect(out).toContain("--short");
  });
});

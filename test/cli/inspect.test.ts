import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { placeNamed } from "../../src/cli/storeAt.js";
import { OptimizedChatOllama } from "../../src/index.js";
import type { RequestRecord } from "../../src/records.js";
import { openJsonStore } from "../../src/storage/json/openJsonStore.js";
import { type OllamaServer, scriptedEngine, startOllamaServer } from "../../src/testing/index.js";
import { NOT_INSTALLED, redisUrl } from "../contract/servers.js";
import { commandLine } from "./commandLine.js";

let folder: string;
let ollama: OllamaServer;
const run = (args: readonly string[], store = folder) => commandLine(["inspect", ...args, "--store", store]);

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "inspect-"));
  ollama = await startOllamaServer({
    models: [{ name: "tiny", trainedNumCtx: 16_384 }],
    engine: scriptedEngine({ reply: "a reply of some words" }),
  });
  const model = new OptimizedChatOllama({ model: "tiny", baseUrl: ollama.origin, store: folder });
  for (const subject of ["rivers", "mountains", "harbours", "bridges", "towers", "castles"]) {
    await model.invoke([
      ["system", "You are a careful guide who answers in one short sentence and never guesses at anything."],
      ["human", `Tell me in one sentence what is worth seeing about the ${subject} of this old country.`],
    ]);
  }
  await model.invoke("word ".repeat(6000));
  await model.store.close();
});
afterAll(async () => {
  await ollama.close();
  rmSync(folder, { recursive: true, force: true });
});

test("every kind of record is a table for people and JSON for programs", async () => {
  for (const kind of ["templates", "profiles", "requests", "decisions"]) {
    const { code, out, err } = await run([kind]);
    expect([kind, code, err]).toEqual([kind, 0, ""]);
    expect(out.split("\n").length).toBeGreaterThan(3);
    const records = JSON.parse((await run([kind, "--json"])).out) as { schemaVersion: number }[];
    expect(records.every(({ schemaVersion }) => schemaVersion === 1)).toBe(true);
    expect(records.length).toBeGreaterThan(0);
  }
  expect((await run(["profiles"])).out).toMatch(/tiny +\S+ +16,384/);
  expect((await run(["request"])).out).toMatch(/\n7 requests\.\n$/);
});

test("conditions filter, --sort orders, --limit ends", async () => {
  const prompts = async (...args: string[]): Promise<number[]> =>
    (JSON.parse((await run(["requests", "--json", ...args])).out) as { promptTokens: number }[]).map(
      ({ promptTokens }) => promptTokens,
    );
  const all = await prompts("--sort", "prompt", "--limit", "0");
  expect(all).toEqual([...all].sort((a, b) => a - b));
  expect(all).toHaveLength(7);
  expect(await prompts("--sort=-prompt", "--limit", "2")).toEqual(all.slice(-2).reverse());
  expect(await prompts("--where", "prompt>1000")).toEqual(all.slice(-1));
  expect(await prompts("--where", "prompt<1000", "--where", "model~TIN")).toHaveLength(6);
  expect(await prompts("--where", "model!=tiny")).toEqual([]);
  expect(await prompts("--where", "error!=-")).toEqual([]);
  expect(await prompts("--where", "error=-", "--days", "1")).toHaveLength(7);
  const [newest] = JSON.parse((await run(["requests", "--json", "--limit", "1"])).out) as [{ at: string }];
  const day = newest.at.slice(0, 10);
  expect(await prompts("--where", `at>=${day}T00:00:00.000Z`)).toHaveLength(7);
  expect(await prompts("--where", `at<${day} 00:00`)).toEqual([]);
  const reloads = async (answer: string) => (await run(["decisions", "--where", `reloaded=${answer}`])).out;
  expect(await reloads("true")).toMatch(/\n2 decisions\.\n$/);
  expect(await reloads("no")).toMatch(/\n5 decisions\.\n$/);
  expect((await run(["decisions", "--where", "reloaded=maybe"])).err).toMatch(
    /"maybe" is compared with yes or no/,
  );
  expect((await run(["decisions", "--where", "action=grow"])).out).toMatch(
    /reason.*\n.*grow.*\n\n1 decision/,
  );
});

test("a template in depth tells its windows, tokens, latencies, and how well its calls matched", async () => {
  const [task] = JSON.parse((await run(["templates", "--where", "scope=task", "--json"])).out) as {
    id: string;
    counts: { observations: number };
  }[];
  const { out, err } = await run(["template", task!.id.slice(0, -2)]);
  expect(err).toBe("");
  expect(out).toContain(`${task!.id}: one shape of user text`);
  expect(out).toMatch(/compared by its first .*\[\d+\].* tokens/);
  expect(out).toMatch(/differed by \d+\.\d of 128 bits/);
  expect(out).toMatch(/prompt tokens +6 +\d+ +\d+ +\d+/);
  expect(out).toMatch(/latency +6 +\d\.\d\d s/);
  expect(out).toMatch(/behind the system prompt system-/);
  expect(out).toMatch(/(\d) of \1 calls stayed within their window/);
  const detail = JSON.parse((await run(["templates", task!.id, "--json"])).out);
  expect(detail.totalMs.samples).toBe(task!.counts.observations);
  expect(detail.calls).toBe(
    detail.byWindow.reduce((sum: number, { calls }: { calls: number }) => sum + calls, 0),
  );
  expect(detail.calls).toBeGreaterThan(2);
  expect(detail.recent[0].templateId).toBe(task!.id);
});

test.each([
  [[], 2, /Nothing was named.*Name one of templates, rules/],
  [["templats"], 2, /Did you mean templates\?/],
  [["template", "nothing"], 1, /NOT_FOUND: There is no template "nothing"/],
  [["requests", "a"], 2, /"a" is too much/],
  [["requests", "--sort", "promt"], 2, /no column "promt".*Did you mean prompt\?/],
  [["requests", "--where", "prompt"], 2, /--where is "prompt"/],
  [["requests", "--where", "prompt>many"], 2, /"many" is compared with numbers/],
  [["requests", "--limit", "few"], 2, /--limit is "few"/],
])("%j is refused with what to do", async (args, code, words) => {
  const result = await run(args);
  expect([result.code, result.out]).toEqual([code, ""]);
  expect(result.err).toMatch(words);
});

test("a store that is not there is empty, and none is made", async () => {
  const place = join(folder, "..", "inspect-none");
  const { code, out, err } = await run(["requests"], place);
  expect([code, out]).toEqual([0, `No requests found in ${place}.\n`]);
  expect(err).toContain("There is no store at");
  expect(readdirSync(join(folder, "..")).includes("inspect-none")).toBe(false);
});

test("a damaged store is read as far as it can be, without a stack trace", async () => {
  const damaged = mkdtempSync(join(tmpdir(), "inspect-damaged-"));
  const store = openJsonStore(damaged);
  await store.merge("profiles", { id: "s b", models: ["tiny:latest"] });
  await store.close();
  writeFileSync(join(damaged, "v1", "profiles.json"), "{ not json");
  writeFileSync(join(damaged, "v1", "requests", "2026-01-01-00001.jsonl"), '\nnot json\n{"id":1}\n');
  for (const kind of ["templates", "rules", "profiles", "requests", "decisions"]) {
    const { code, err } = await run([kind], damaged);
    expect([kind, code]).toEqual([kind, 0]);
    expect(err).not.toMatch(/\n +at /);
  }
  rmSync(damaged, { recursive: true });
});

test("control characters in a name never reach the terminal", async () => {
  const place = mkdtempSync(join(tmpdir(), "inspect-names-"));
  const store = openJsonStore(place);
  await store.merge("profiles", { id: "s b", models: ["tiny\u001b[2J"] });
  await store.close();
  const { out } = await run(["profiles"], place);
  expect(out).toContain("tiny\ufffd[2J");
  rmSync(place, { recursive: true });
});

test("without its client a server's store is refused with the command that installs it", async () => {
  const { client } = await import("../../src/cli/serverClients.js");
  await expect(client(["no-such-client", "nor-this"])).rejects.toThrow(
    /needs the package no-such-client or nor-this.*npm install no-such-client/,
  );
});

test("on a server that holds nothing the place is named, with its prefix and without credentials", async (context) => {
  const url = await redisUrl();
  if (url === null) return context.skip(NOT_INSTALLED);
  const { host } = new URL(url);
  const store = `redis://${host}`;
  const requests = await run(["requests", "--prefix", "empty-a"], store);
  expect(requests.out).toBe(`No requests found in redis://${host} (prefix "empty-a").\n`);
  const report = await commandLine(["report", "--store", store, "--prefix", "empty-a"]);
  expect(report.err).toBe(`No requests found in redis://${host} (prefix "empty-a").\n`);
  expect(placeNamed("rediss://me:se%40cret@box:6379/2?password=secret", undefined)).toBe(
    "rediss://box:6379/2 (default prefix; programs that set one need --prefix)",
  );
});

test("reasons are whole for programs, and cut where a terminal has no room", async () => {
  let shown = "";
  const out = { write: (text: string) => (shown += text), isTTY: true };
  const whole = (await run(["decisions"])).out;
  const reasons = (JSON.parse((await run(["decisions", "--json"])).out) as RequestRecord[]).map(
    ({ decision }) => decision!.reason,
  );
  expect(Math.max(...reasons.map(({ length }) => length))).toBeGreaterThan(60);
  for (const reason of reasons) expect(whole).toContain(reason);
  await commandLine(["inspect", "decisions", "--store", folder], { out });
  expect(shown).toContain("…");
});

test("a server out of reach is told in words", async () => {
  const { code, err } = await run(["profiles"], "postgres://nobody@127.0.0.1:1/none");
  expect(code).toBe(1);
  expect(err).toMatch(/STORE_UNREACHABLE/);
}, 20_000);

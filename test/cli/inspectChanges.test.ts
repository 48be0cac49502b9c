import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { afterEach, beforeEach, expect, test } from "vitest";
import { OptimizedChatOllama } from "../../src/index.js";
import type { DecisionRecord, ProfileRecord, TemplateRecord } from "../../src/records.js";
import { openJsonStore } from "../../src/storage/json/openJsonStore.js";
import type { OptimizerStore } from "../../src/storage/store.js";
import { type OllamaServer, scriptedEngine, startOllamaServer } from "../../src/testing/index.js";
import { commandLine } from "./commandLine.js";

let folder: string;
let ollama: OllamaServer;
const run = (...args: string[]) => commandLine(["inspect", ...args, "--store", folder]);
const yes = async (...args: string[]) => {
  const result = await run(...args, "--yes");
  expect([result.code, result.err]).toEqual([0, ""]);
  return result.out;
};
const decisionOf = (reply: { readonly response_metadata: Record<string, unknown> }): DecisionRecord =>
  reply.response_metadata.optimizer as DecisionRecord;
const chat = () => new OptimizedChatOllama({ model: "tiny", baseUrl: ollama.origin, store: folder });
const task = (subject: string) => [
  [
    "system",
    "You are a careful guide who answers in one short sentence and never guesses at anything.",
  ] as const,
  [
    "human",
    `Tell me in one sentence what is worth seeing about the ${subject} of this old country.`,
  ] as const,
];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "changes-"));
  ollama = await startOllamaServer({
    models: [{ name: "tiny", trainedNumCtx: 32_768 }],
    engine: scriptedEngine({ reply: "a reply of some words" }),
  });
});
afterEach(async () => {
  await ollama.close();
  // A tokenizer may still be on its way into it.
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
});

async function stored<T>(use: (store: OptimizerStore) => T): Promise<T> {
  const store = openJsonStore(folder);
  await store.ready();
  const result = use(store);
  await store.close();
  return result;
}
const profile = (): Promise<ProfileRecord> => stored((store) => [...store.list("profiles")][0]!);
const templates = (): Promise<readonly TemplateRecord[]> => stored((store) => [...store.list("templates")]);

async function callOnce(): Promise<void> {
  const model = chat();
  await model.invoke(task("rivers").map(([role, text]) => [role, text]));
  await model.store.close();
}

test("a window that was set is the one that the next program loads, until it is undone", async () => {
  await callOnce();
  expect(await yes("set", "window", "tiny", "6000")).toMatch(/Done: set the window of tiny to 6,000 tokens/);
  const pinned = chat();
  expect(decisionOf(await pinned.invoke("Hello")).numCtx).toBe(6000);
  await pinned.store.close();
  expect((await run("profiles")).out).toMatch(/ 6,000 /);
  expect(await yes("undo")).toContain("Done: undo: set the window of tiny to 6,000 tokens.");
  expect((await profile()).pinnedNumCtx).toBeNull();
});

test("a program that runs already obeys within a second", async () => {
  const model = chat();
  await model.invoke("Hello");
  await model.store.flush();
  await yes("set", "window", "tiny", "5000");
  await expect
    .poll(async () => decisionOf(await model.invoke("Hello")).numCtx, { timeout: 10_000, interval: 300 })
    .toBe(5000);
  await model.store.close();
});

test("beyond a ceiling that was set no window is loaded, and a prompt that needs one is refused", async () => {
  await callOnce();
  await yes("set", "ceiling", "tiny", "8192");
  const model = chat();
  const { numCtx, action } = decisionOf(await model.invoke("many words ".repeat(2300)));
  expect([action, numCtx]).toEqual(["grow", 8192]);
  await expect(model.invoke("many words ".repeat(8000))).rejects.toThrow(
    /the ceiling of "tiny" that a person set/,
  );
  await model.store.close();
  await yes("unpin", "ceiling", "tiny");
  const free = chat();
  expect(decisionOf(await free.invoke("many words ".repeat(6000))).numCtx).toBeGreaterThan(8192);
  await free.store.close();
});

test("learned ceilings are forgotten, or pinned where they stand", async () => {
  await callOnce();
  const { id } = await profile();
  const ceilings = [{ numCtx: 16_384, at: new Date().toISOString(), loadedBytes: 0 }];
  await stored((store) => store.merge("profiles", { id, ceilings }));
  expect(await yes("pin", "ceiling", "tiny")).toContain("never a window beyond 13,824 tokens");
  await yes("forget", "ceiling", "tiny");
  expect(await profile()).toMatchObject({ ceilings: [], maximumNumCtx: null });
  await yes("undo");
  expect(await profile()).toMatchObject({ ceilings, maximumNumCtx: 13_824 });
  await yes("undo");
  expect(await profile()).toMatchObject({ ceilings, maximumNumCtx: null });
});

test("a reserve that was set for a template is what its calls keep free", async () => {
  await callOnce();
  const [system] = (await templates()).filter(({ scope }) => scope === "system");
  await yes("set", "template", system!.id, "2500");
  const model = chat();
  const reply = await model.invoke(task("towers").map(([role, text]) => [role, text]));
  expect(decisionOf(reply).outputReserve).toBe(2500);
  await model.store.close();
});

test("a forgotten template goes with its tasks, and undo brings all back with their counts", async () => {
  await callOnce();
  const before = await templates();
  const system = before.find(({ scope }) => scope === "system")!;
  expect(await yes("forget", "template", system.id)).toMatch(
    /forget the template system-\S+ and 1 task behind it/,
  );
  const kept = before.filter(({ id, systemId }) => id !== system.id && systemId !== system.id);
  expect((await templates()).map(({ id }) => id)).toEqual(kept.map(({ id }) => id));
  await yes("undo");
  const byId = (list: readonly TemplateRecord[]) =>
    Object.fromEntries(list.map(({ id, counts, fingerprints }) => [id, { counts, fingerprints }]));
  expect(byId(await templates())).toEqual(byId(before));
});

test("undo makes nothing of a template that was forgotten meanwhile", async () => {
  await callOnce();
  const [system] = (await templates()).filter(({ scope }) => scope === "system");
  await yes("set", "template", system!.id, "2500");
  await stored((store) => void store.remove("templates", system!.id));
  await yes("undo");
  expect((await templates()).map(({ id }) => id)).not.toContain(system!.id);
});

test("a pinned template stays when there is no room, with its system prompt", async () => {
  await callOnce();
  const [first] = (await templates()).filter(({ scope }) => scope === "task");
  await yes("pin", "template", first!.id);
  const model = new OptimizedChatOllama({
    model: "tiny",
    baseUrl: ollama.origin,
    store: folder,
    optimizer: { maxTemplates: 4 },
  });
  const words = ["granite", "violin", "harbour", "quarry", "lantern", "orchard", "compass", "thunder"];
  for (const [index, word] of words.entries()) {
    await model.invoke(
      Array.from({ length: 30 }, (_, at) => `${word}${at * index} ${word.slice(at % 5)}`).join(" "),
    );
  }
  await model.store.close();
  const left = await templates();
  expect(left.filter(({ scope }) => scope !== "length").length).toBeLessThanOrEqual(4);
  expect(left.find(({ id }) => id === first!.id)?.isPinned).toBe(true);
  expect(left.find(({ id }) => id === first!.systemId)?.isPinned).toBe(true);
});

test("on a terminal it asks, and anything but yes changes nothing", async () => {
  await callOnce();
  const answered = async (text: string) => {
    const input = Object.assign(new PassThrough(), { isTTY: true });
    input.end(text);
    return commandLine(["inspect", "set", "window", "tiny", "6000", "--store", folder], { input });
  };
  for (const text of ["", "\n", "no\n"]) {
    expect(await answered(text)).toMatchObject({ code: 0, out: "Nothing was changed.\n" });
  }
  expect((await profile()).pinnedNumCtx).toBeUndefined();
  expect(await answered("y\n")).toMatchObject({
    code: 0,
    err: "Set the window of tiny to 6,000 tokens? [y/N] ",
  });
  expect((await profile()).pinnedNumCtx).toBe(6000);
});

test("without a terminal it takes --yes", async () => {
  await callOnce();
  const { code, err } = await run("forget", "window", "tiny");
  expect(code).toBe(2);
  expect(err).toMatch(/Nobody can be asked.*Add --yes/);
});

test("what cannot be done is refused with what to do", async () => {
  await callOnce();
  const errorOf = async (...args: string[]) => (await run(...args, "--yes")).err;
  expect(await errorOf("forget")).toMatch(/Nothing was named to forget/);
  expect(await errorOf("pin", "windw", "tiny")).toMatch(/Did you mean window\?/);
  expect(await errorOf("pin", "window")).toMatch(/No window was named. Name a model/);
  await stored((store) => {
    for (const { id } of [...store.list("templates")].slice(1)) void store.remove("templates", id);
  });
  expect(await errorOf("forget", "template", "")).toMatch(/No template was named/);
  expect(await errorOf("pin", "window", "tinny")).toMatch(
    new RegExp(`MODEL_NOT_FOUND.*"tinny" in ${folder}; there are tiny.*Did you mean tiny`),
  );
  expect(await errorOf("pin", "ceiling", "tiny")).toMatch(/NOTHING_TO_PIN: tiny .*inspect set ceiling/);
  expect(await errorOf("set", "window", "tiny")).toMatch(/No number of tokens/);
  expect(await errorOf("set", "window", "tiny", "99999")).toMatch(
    /99,999 tokens are beyond what tiny was trained for: 32,768\. Give a whole number from 256 to 32768/,
  );
  expect(await errorOf("set", "window", "tiny", "2")).toMatch(/from 256 to 32768/);
  expect(await errorOf("set", "window", "tiny", "4096.5")).toMatch(/whole number/);
  expect(await errorOf("set", "window", "tiny", "1", "2")).toMatch(/"1 2" is too much/);
  expect(await errorOf("forget", "template", "none")).toMatch(/NOT_FOUND/);
  expect(await errorOf("undo")).toMatch(/NOTHING_TO_UNDO: Nothing was changed by hand/);
  await yes("set", "window", "tiny", "6000");
  await yes("undo");
  expect(await errorOf("undo")).toMatch(/NOTHING_TO_UNDO: Nothing is left to undo/);
});

/** Two programs, one store folder, one server. */
import { readdirSync } from "node:fs";
import { afterAll, beforeEach, expect, test } from "vitest";
import { openJsonStore } from "../../src/storage/json/openJsonStore.js";
import { buildChildren, ended } from "../storage/childProcess.js";
import { temporaryFolders } from "../storage/temporaryFolder.js";
import { callOfAnother, decisionOf, nothingLoaded, onEachOllama, smallChat, words } from "./ollama.js";

const children = buildChildren();
const folders = temporaryFolders();
afterAll(() => children.remove());

interface Line {
  readonly action: string;
  readonly numCtx: number;
  readonly loadMs: number;
}

onEachOllama((origin) => {
  beforeEach(() => nothingLoaded(origin));

  async function callsOf(folder: string, ...counts: number[]): Promise<Line[]> {
    const child = children.start("../../live/children/caller", origin, folder, ...counts.map(String));
    const { code, output, errors } = await ended(child);
    expect(errors, errors).toBe("");
    expect(code).toBe(0);
    return output
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Line);
  }

  test("a program that starts later uses the window that an earlier one loaded", async () => {
    const folder = await folders.make();
    const [, grown] = await callsOf(folder, 30, 240);
    const later = await callsOf(folder, 30, 240);
    expect(later.map(({ action, numCtx }) => ({ action, numCtx }))).toEqual(
      later.map(() => ({ action: "keep", numCtx: grown!.numCtx })),
    );
    expect(later.every(({ loadMs }) => loadMs < 150)).toBe(true);
  });

  test("another program that repeats its own window is followed at once, though its calls wait for ours", async () => {
    const model = smallChat(origin);
    await model.invoke(words(30));
    let isOver = false;
    const another = (async () => {
      while (!isOver) await callOfAnother(origin, "random", 2048);
    })();
    const replies = [];
    for (let call = 0; call < 8; call++) replies.push(await model.invoke(words(30)));
    isOver = true;
    await another;
    // Its first load and, at most, ours once more and its own again.
    expect(replies.slice(3).map((reply) => decisionOf(reply))).toMatchObject(
      new Array(5).fill({ action: "keep", numCtx: 2048, outcome: { reloaded: false } }),
    );
  });

  test("two programs at once do not take turns in reloading, and both are in the store", async () => {
    const folder = await folders.make();
    const counts = [30, 60, 240, 30, 90, 120, 240, 60, 30, 150];
    const programs = await Promise.all([callsOf(folder, ...counts), callsOf(folder, ...counts)]);
    // Each may load once cold and once to grow, and see the other's load as its own wait; after that, nobody loads.
    for (const lines of programs) {
      expect(lines.slice(5).map(({ action }) => action)).toEqual(new Array(5).fill("keep"));
      expect(lines.slice(5).filter(({ loadMs }) => loadMs > 150)).toEqual([]);
    }

    const store = openJsonStore(folder);
    await store.ready();
    let requests = 0;
    for await (const { error } of store.requests()) {
      expect(error).toBeNull();
      requests++;
    }
    expect(requests).toBe(2 * counts.length);
    expect([...store.list("profiles")].map(({ counts: { calls } }) => calls)).toEqual([2 * counts.length]);
    await store.close();
    expect(readdirSync(folder).filter((name) => name.includes("damaged"))).toEqual([]);
  });
});

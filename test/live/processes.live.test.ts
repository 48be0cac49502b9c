/** Two programs, one store folder, one server. */
import { readdirSync } from "node:fs";
import { afterAll, beforeEach, expect, test } from "vitest";
import { openJsonStore } from "../../src/storage/json/openJsonStore.js";
import { buildChildren, ended } from "../storage/childProcess.js";
import { temporaryFolders } from "../storage/temporaryFolder.js";
import { nothingLoaded, onEachOllama } from "./ollama.js";

const programs = buildChildren();
const folders = temporaryFolders();
afterAll(() => programs.remove());

interface Line {
  readonly action: string;
  readonly numCtx: number;
  readonly loadMs: number;
}

onEachOllama((origin) => {
  beforeEach(() => nothingLoaded(origin));

  async function callsOf(folder: string, ...counts: number[]): Promise<Line[]> {
    const child = programs.start("../../live/children/caller", origin, folder, ...counts.map(String));
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

  test("two programs at once do not take turns in reloading, and both are in the store", async () => {
    const folder = await folders.make();
    const counts = [30, 60, 240, 30, 90, 120, 240, 60, 30, 150];
    const lines = (await Promise.all([callsOf(folder, ...counts), callsOf(folder, ...counts)])).flat();
    // Each may load once cold and once to grow; whoever decided on an older look reloads once more.
    expect(lines.filter(({ loadMs }) => loadMs > 150).length).toBeLessThanOrEqual(6);
    expect(lines.slice(-4).every(({ action }) => action === "keep")).toBe(true);

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

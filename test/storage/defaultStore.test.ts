import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, vi } from "vitest";
import { defaultStorePath, openDefaultStore } from "../../src/storage/defaultStore.ts";

describe("defaultStorePath", () => {
  it.each([
    ["linux", {}, "/home/ann/.local/state/langchain-ollama-optimizer"],
    ["linux", { XDG_STATE_HOME: "/state" }, "/state/langchain-ollama-optimizer"],
    ["linux", { XDG_STATE_HOME: "relative" }, "/home/ann/.local/state/langchain-ollama-optimizer"],
    ["linux", { XDG_STATE_HOME: "" }, "/home/ann/.local/state/langchain-ollama-optimizer"],
    ["darwin", {}, "/home/ann/Library/Application Support/langchain-ollama-optimizer"],
    ["win32", { LOCALAPPDATA: "C:\\Data" }, "C:\\Data\\langchain-ollama-optimizer"],
  ] as const)("on %s with %o is the user's state folder", (platform, env, expected) => {
    expect(defaultStorePath({ platform, env, home: "/home/ann" })).toBe(expected);
  });
});

describe("openDefaultStore", () => {
  it("opens the folder of the person", async () => {
    const state = await mkdtemp(join(tmpdir(), "optimizer-store-"));
    const store = openDefaultStore({}, { env: { XDG_STATE_HOME: state } });
    expect(store.location).toBe(join(state, "langchain-ollama-optimizer"));
    await store.close();
    await rm(state, { recursive: true });
  });

  it("goes on in memory with one warning where the folder cannot be made", async () => {
    const state = await mkdtemp(join(tmpdir(), "optimizer-store-"));
    await writeFile(join(state, "file"), "");
    const warn = vi.fn();
    const store = openDefaultStore({ logger: { warn } }, { env: { XDG_STATE_HOME: join(state, "file") } });
    expect(store.location).toBe("memory");
    await store.merge("settings", { id: "s", value: 1 });
    expect(warn).toHaveBeenCalledOnce();
    expect(warn.mock.calls[0]?.[0]).toContain(join(state, "file"));
    await store.close();
    await rm(state, { recursive: true });
  });
});

/**
 * What the doctor says about real servers, with the log that they write.
 *
 *   node scripts/ollama/serve.mjs -- npx vitest run --config vitest.live.config.ts test/live/doctor.live.test.ts
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import { cacheFolder } from "../../scripts/ollama/cache.mjs";
import { runCommandLine } from "../../src/cli/commandLine.js";
import { COMMANDS } from "../../src/cli/commands.js";
import type { Finding } from "../../src/cli/doctor/finding.js";
import { callOfAnother, nothingLoaded, onEachOllama } from "./ollama.js";

async function findings(origin: string, args: readonly string[]): Promise<readonly Finding[]> {
  let out = "";
  const argv = ["doctor", "--json", "--host", origin, "--store", join(cacheFolder, "no-store"), ...args];
  await runCommandLine(argv, COMMANDS, "", {
    environment: {},
    out: { write: (text) => (out += text) },
    err: { write: () => {} },
    signal: new AbortController().signal,
  });
  return (JSON.parse(out) as { findings: Finding[] }).findings;
}

const textOf = (list: readonly Finding[]): string => list.map(({ text }) => text).join("\n");

onEachOllama((origin, version) => {
  beforeEach(() => nothingLoaded(origin));

  test("version, models with their trained windows, and what is loaded are told as they are", async () => {
    await callOfAnother(origin, "random", 2_048);
    const list = await findings(origin, ["--watch", "0"]);
    const text = textOf(list);
    expect(text).toContain(`Ollama ${version} answers.`);
    expect(text).toMatch(/smollm2:latest: \d+ MB, trained for 8,192, completion\./);
    expect(text).toContain("random:latest is loaded with a window of 2,048");
    expect(list.filter(({ severity }) => severity === "error")).toEqual([]);
  });

  test("a program that changes the window while it watches is seen", async () => {
    await callOfAnother(origin, "random", 2_048);
    const watching = findings(origin, ["--watch", "3"]);
    await new Promise((resolve) => setTimeout(resolve, 800));
    await callOfAnother(origin, "random", 1_024);
    expect(textOf(await watching)).toContain("random:latest was loaded with windows of 2,048 and 1,024");
  });

  test("the log tells the default window, flash attention, the cache's type and parallel calls", async (context) => {
    const log = join(cacheFolder, "logs", `ollama-${version}-${new URL(origin).port}.log`);
    context.skip(!existsSync(log), "the server's log is not where the servers for tests write it");
    await callOfAnother(origin, "random", 2_048);
    const text = textOf(await findings(origin, ["--watch", "0", "--log", log]));
    expect(text).toContain("Calls that set no window get 4,096 tokens (by the size of GPU memory)");
    expect(text).toContain("flash attention was on, the cache's type f16");
    expect(text).toContain("Each model answers one call at a time (OLLAMA_NUM_PARALLEL)");
  });
});

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Ollama } from "ollama";
import { expect, test } from "vitest";
import { serve, serveOptions } from "../../src/cli/serve.js";
import { startOllamaServer } from "../../src/testing/index.js";

test("flags come before the environment, and both before the defaults", () => {
  expect(serveOptions([], {})).toMatchObject({
    port: 11435,
    address: "127.0.0.1",
    upstream: "http://127.0.0.1:11434",
  });
  expect(serveOptions([], { OPTIMIZER_PORT: "1" }).port).toBe(1);
  expect(serveOptions(["--port", "2"], { OPTIMIZER_PORT: "1" }).port).toBe(2);
});

test("OLLAMA_HOST is read as Ollama reads it", () => {
  const upstream = (host: string) => serveOptions([], { OLLAMA_HOST: host }).upstream;
  expect(upstream("0.0.0.0")).toBe("http://127.0.0.1:11434");
  expect(upstream("box:8080")).toBe("http://box:8080");
  expect(upstream("https://box/ollama/")).toBe("https://box/ollama");
});

test("what cannot be meant is refused with a remedy", () => {
  for (const args of [
    ["--port", "x"],
    ["--port", "70000"],
    ["--body-limit", "0"],
    ["--unknown"],
    ["stray"],
  ]) {
    expect(() => serveOptions(args, {}), args.join(" ")).toThrow(/^(?=.*\. ).+/);
  }
});

test("it serves, tells its options but no secrets, and ends when told to", async () => {
  await using ollama = await startOllamaServer({ models: [{ name: "tiny" }] });
  const folder = mkdtempSync(join(tmpdir(), "serve-"));
  const stop = new AbortController();
  let printed = "";
  const out = {
    write: (text: string) => {
      printed += text;
    },
  };
  const upstream = ollama.origin.replace("//", "//user:password@");
  const environment = { OPTIMIZER_TOKEN: "hidden", OLLAMA_HOST: upstream };
  const ended = serve(["--port", "0", "--store", folder], {
    environment,
    out,
    err: out,
    signal: stop.signal,
  });
  await expect.poll(() => printed).toContain("body limit");
  const host = /at (http:\S+)/.exec(printed)![1]!;
  const client = new Ollama({ host, headers: { authorization: "Bearer hidden" } });
  const reply = await client.chat({ model: "tiny", messages: [{ role: "user", content: "hello" }] });
  expect(reply.message.content).toBe("ok");
  expect(printed).not.toMatch(/hidden|password/);
  const again: string[] = [];
  const err = { write: (text: string) => again.push(text) };
  const taken = ["--port", new URL(host).port, "--store", `${folder}-other`];
  expect(await serve(taken, { environment, out, err, signal: stop.signal })).toBe(1);
  expect(again.join()).toMatch(/PORT_TAKEN/);
  stop.abort();
  expect(await ended).toBe(0);
  await expect(client.list()).rejects.toThrow();
  rmSync(folder, { recursive: true });
  rmSync(`${folder}-other`, { recursive: true, force: true });
});

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Ollama } from "ollama";
import { expect, test } from "vitest";
import { serve } from "../../src/cli/serve.js";
import { serveOptions } from "../../src/cli/serveOptions.js";
import { startOllamaServer } from "../../src/testing/index.js";

const optionsFile = (content: unknown) => {
  const path = join(mkdtempSync(join(tmpdir(), "serve-")), "options.json");
  writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content));
  return path;
};

test("flags come before the environment, that before the file, and all before the defaults", () => {
  expect(serveOptions([], {})).toMatchObject({
    options: { port: 11435, address: "127.0.0.1", upstream: "http://127.0.0.1:11434", maxWaiting: 512 },
    sources: { port: "default" },
  });
  const path = optionsFile({ port: 1, bodyLimit: 64, override: true, allowHost: ["a", "b"] });
  const args = ["--config", path];
  const read = (more: string[], environment = {}) => serveOptions([...args, ...more], environment);
  expect(read([])).toMatchObject({
    options: { port: 1, bodyLimit: 64, override: true, allowHost: ["a", "b"] },
    sources: { port: path, bodyLimit: path, address: "default" },
  });
  expect(read([], { OPTIMIZER_PORT: "2" })).toMatchObject({
    options: { port: 2 },
    sources: { port: "OPTIMIZER_PORT" },
  });
  expect(read(["--port", "3"], { OPTIMIZER_PORT: "2" })).toMatchObject({
    options: { port: 3 },
    sources: { port: "--port" },
  });
  expect(serveOptions([], { OPTIMIZER_CONFIG: path }).options.port).toBe(1);
});

test("an empty variable counts as not set, and yes or no is read as words and digits", () => {
  expect(serveOptions([], { OPTIMIZER_PORT: "" }).sources.port).toBe("default");
  const override = (value: string) => serveOptions([], { OPTIMIZER_OVERRIDE: value }).options.override;
  expect([override("1"), override("true"), override("0"), override("false")]).toEqual([
    true,
    true,
    false,
    false,
  ]);
  expect(serveOptions([], { OPTIMIZER_ALLOW_HOST: "a.lan,b.lan" }).options.allowHost).toEqual([
    "a.lan",
    "b.lan",
  ]);
});

test("OLLAMA_HOST is read as Ollama reads it", () => {
  const upstream = (host: string) => serveOptions([], { OLLAMA_HOST: host }).options.upstream;
  expect(upstream("0.0.0.0")).toBe("http://127.0.0.1:11434");
  expect(upstream("box:8080")).toBe("http://box:8080");
  expect(upstream("https://box/ollama/")).toBe("https://box/ollama");
});

test("what cannot be meant is refused with a remedy, wherever it was said", () => {
  for (const args of [
    ["--port", "x"],
    ["--port", "70000"],
    ["--body-limit", "0"],
    ["--unknown"],
    ["stray"],
    ["--config", "/nowhere/options.json"],
    ["--config", optionsFile("{")],
    ["--config", optionsFile([])],
    ["--config", optionsFile({ port: "x" })],
    ["--config", optionsFile({ port: 1.5 })],
    ["--config", optionsFile({ override: "perhaps" })],
    ["--config", optionsFile({ allowHost: [1] })],
    ["--config", optionsFile({ address: "" })],
  ]) {
    expect(() => serveOptions(args, {}), args.join(" ")).toThrow(/^(?=.*\. ).+/);
  }
  expect(() => serveOptions([], { OPTIMIZER_CUT: "perhaps" })).toThrow(/OPTIMIZER_CUT/);
});

test("an unknown key of the file is refused with the one that was meant", () => {
  expect(() => serveOptions(["--config", optionsFile({ bodylimit: 1 })], {})).toThrow(
    /"bodylimit".*"bodyLimit"/,
  );
  expect(() => serveOptions(["--config", optionsFile({ colour: 1 })], {})).toThrow(/Known ones are port/);
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
  await expect.poll(() => printed).toContain("token: required");
  expect(printed).toMatch(/port: 0 \(--port\)/);
  expect(printed).toMatch(/upstream: .* \(OLLAMA_HOST\)/);
  const host = /at (http:\S+)/.exec(printed)![1]!;
  const client = new Ollama({ host, headers: { authorization: "Bearer hidden" } });
  const reply = await client.chat({ model: "tiny", messages: [{ role: "user", content: "hello" }] });
  expect(reply.message.content).toBe("ok");
  expect(printed).not.toMatch(/hidden|password/);
  const taken = ["--port", new URL(host).port, "--store", `${folder}-other`];
  await expect(serve(taken, { environment, out, err: out, signal: stop.signal })).rejects.toMatchObject({
    code: "PORT_TAKEN",
  });
  stop.abort();
  expect(await ended).toBe(0);
  await expect(client.list()).rejects.toThrow();
  rmSync(folder, { recursive: true });
  rmSync(`${folder}-other`, { recursive: true, force: true });
});

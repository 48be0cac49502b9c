import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Ollama } from "ollama";
import { describe, expect, test } from "vitest";
import { readPrices } from "../../src/cli/pricesFile.js";
import { serve } from "../../src/cli/serve.js";
import { serveOptions } from "../../src/cli/serveOptions.js";
import { type OllamaServer, startOllamaServer } from "../../src/testing/index.js";

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

test("files may be as an editor of Windows leaves them, with a byte order mark and its line ends", () => {
  const text = (content: unknown) => `\ufeff${JSON.stringify(content, null, 1).replaceAll("\n", "\r\n")}\r\n`;
  const config = ["--config", optionsFile(text({ port: 5 }))];
  expect(serveOptions(config, {}).options.port).toBe(5);
  expect(readPrices(optionsFile(text({ currency: "EUR" })))).toEqual({ currency: "EUR" });
});

test("the path of the address that calls go to is printed", async () => {
  const stop = new AbortController();
  let printed = "";
  const out = {
    write: (text: string) => {
      printed += text;
    },
  };
  const environment = { OLLAMA_HOST: "http://user:password@127.0.0.1:9/ollama/" };
  const store = mkdtempSync(join(tmpdir(), "serve-"));
  const surroundings = { environment, out, err: out, signal: stop.signal };
  const ended = serve(["--port", "0", "--store", store], surroundings);
  await expect.poll(() => printed).toContain("does not answer yet");
  stop.abort();
  expect(await ended).toBe(0);
  expect(printed).toContain("  upstream: http://127.0.0.1:9/ollama (OLLAMA_HOST)\n");
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
  expect(serveOptions([], { OPTIMIZER_ALLOW_HOST: " a.lan, b.lan " }).options.allowHost).toEqual([
    "a.lan",
    "b.lan",
  ]);
});

test("OLLAMA_HOST is read as Ollama reads it", () => {
  const upstream = (host: string) => serveOptions([], { OLLAMA_HOST: host }).options.upstream;
  expect(upstream("0.0.0.0")).toBe("http://127.0.0.1:11434");
  expect(upstream("box:8080")).toBe("http://box:8080");
  expect(upstream("https://box/ollama/")).toBe("https://box/ollama");
  expect(upstream("HTTP://box")).toBe("http://box");
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
    ["--upstream", "ftp://box"],
    ["--upstream", "unix:///run/ollama.sock"],
    ["--allow-host", "ollama.lan:11435"],
    ["--allow-host", "http://ollama.lan"],
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

test("it does not send its calls to itself, as with OLLAMA_HOST set for its clients", async () => {
  const { port } = await freeAddress();
  const folder = mkdtempSync(join(tmpdir(), "serve-"));
  const out = { write: () => {} };
  for (const host of [`127.0.0.1:${port}`, `localhost:${port}`, `0.0.0.0:${port}`]) {
    const environment = { OLLAMA_HOST: host, OPTIMIZER_TOKEN: "hidden" };
    const signal = AbortSignal.timeout(2_000);
    for (const address of ["127.0.0.1", "0.0.0.0"]) {
      const args = ["--port", String(port), "--address", address, "--store", folder];
      await expect(serve(args, { environment, out, err: out, signal })).rejects.toMatchObject({
        code: "OPTION_INVALID",
        message: expect.stringContaining("--upstream"),
      });
    }
  }
  rmSync(folder, { recursive: true });
});

async function freeAddress(): Promise<AddressInfo> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return address;
}

describe("the price list", () => {
  const PRICES = {
    currency: "EUR",
    models: { "*": { inputPer1k: 1, outputPer1k: 2 } },
    hosted: { list: { inputPer1k: 3, outputPer1k: 4 } },
  };

  test("makes costs, and a cache's cost saved where it is in dollars", async () => {
    await using ollama = await startOllamaServer({ models: [{ name: "tiny" }] });
    const folder = mkdtempSync(join(tmpdir(), "serve-"));
    for (const currency of ["EUR", "USD"]) {
      const stop = new AbortController();
      let printed = "";
      const out = { write: (text: string) => (printed += text) };
      const path = optionsFile({ ...PRICES, currency });
      const args = ["--port", "0", "--store", join(folder, currency), "--cache", "memory", "--prices", path];
      const ended = serve(args, {
        environment: { OLLAMA_HOST: ollama.origin },
        out,
        err: out,
        signal: stop.signal,
      });
      await expect.poll(() => printed).toContain(`prices: ${path} (--prices)`);
      const host = /at (http:\S+)/.exec(printed)![1]!;
      const messages = [{ role: "user", content: "hello" }];
      const chat = () => new Ollama({ host }).chat({ model: "tiny", messages, options: { temperature: 0 } });
      const { prompt_eval_count: prompt, eval_count: output } = await chat();
      await chat();
      const read = async (route: string) => (await fetch(`${host}/optimization/${route}`)).json();
      const cost = (prompt + 2 * output) / 1000;
      await expect
        .poll(() => read("costs"))
        .toMatchObject({
          currency,
          total: {
            tokenCost: expect.closeTo(cost),
            hosted: { list: expect.closeTo((3 * prompt + 4 * output) / 1000) },
          },
        });
      const saved = { cost_saved_usd: expect.closeTo(currency === "USD" ? cost : 0) };
      expect(await read("cache-stats")).toMatchObject({ performance_impact: saved });
      stop.abort();
      expect(await ended).toBe(0);
    }
    rmSync(folder, { recursive: true });
  });

  test("may be named by a variable or in the file", () => {
    expect(serveOptions([], { OPTIMIZER_PRICES: "a.json" }).options.prices).toBe("a.json");
    const file = ["--config", optionsFile({ prices: "b.json" })];
    expect(serveOptions(file, {}).options.prices).toBe("b.json");
    expect(serveOptions([], {}).options.prices).toBeUndefined();
  });

  test.each([
    ["{", /is not JSON/],
    [[], /holds no JSON object/],
    [{ electricty: {} }, /unknown key "electricty".*"electricity"/],
    [
      { models: { tiny: { inputPer1k: -1, outputPer1k: 1 } } },
      /inputPer1k is -1\. Set it to a number, 0 or more\.$/,
    ],
    [{ models: { tiny: { inputPer1k: 1 } } }, /models\["tiny"\] is/],
    [{ timeZone: "Nowhere" }, /timeZone/],
    [{ electricity: { perKilowattHour: 1 } }, /watts/],
    [{ currency: 1 }, /currency/],
  ])("%j is refused", (content, message) => {
    expect(() => readPrices(optionsFile(content))).toThrow(message);
    expect(() => readPrices(optionsFile(content))).toThrow(/^The prices file /);
  });

  test("that cannot be read is refused, before anything is opened", async () => {
    const out = { write: () => {} };
    const surroundings = { environment: {}, out, err: out, signal: new AbortController().signal };
    await expect(serve(["--prices", "/nowhere.json"], surroundings)).rejects.toMatchObject({
      code: "OPTION_INVALID",
      message: expect.stringContaining("cannot be read"),
    });
  });
});

describe("the cache of replies", () => {
  test("is off unless a place is named, by flag, variable or file", () => {
    const read = (args: string[], environment = {}) => serveOptions(args, environment).options;
    expect(read([])).toMatchObject({ cache: "off", cacheTtl: 3600, cacheEntries: 1000, cacheSize: 64 });
    const flags = ["--cache", "memory", "--cache-ttl", "60", "--cache-entries", "5", "--cache-sampled"];
    expect(read(flags)).toMatchObject({ cache: "memory", cacheTtl: 60, cacheEntries: 5, cacheSampled: true });
    const environment = { OPTIMIZER_CACHE: "redis://a:1", OPTIMIZER_CACHE_TTL: "learned" };
    expect(read([], environment)).toMatchObject({ cache: "redis://a:1", cacheTtl: "learned" });
    const file = ["--config", optionsFile({ cache: "folder", cacheTtl: "forever", cacheSize: 8 })];
    expect(read(file)).toMatchObject({ cache: "folder", cacheTtl: "forever", cacheSize: 8 });
    expect(read([...file, "--cache", "off"]).cache).toBe("off");
  });

  test("is refused where it cannot be meant", () => {
    for (const args of [
      ["--cache", "disk"],
      ["--cache", "http://a"],
      ["--cache-ttl", "0"],
      ["--cache-ttl", "soon"],
      ["--cache-entries", "0"],
      ["--cache-size", "x"],
    ]) {
      expect(() => serveOptions(args, {}), args.join(" ")).toThrow(/Give /);
    }
  });

  /** Starts the command, asks twice what the model is asked once, and stops it. */
  async function twice(ollama: OllamaServer, cache: string, folder: string) {
    const before = ollama.requests.length;
    const stop = new AbortController();
    let printed = "";
    const out = {
      write: (text: string) => {
        printed += text;
      },
    };
    const ended = serve(["--port", "0", "--store", folder, "--cache", cache], {
      environment: { OLLAMA_HOST: ollama.origin },
      out,
      err: out,
      signal: stop.signal,
    });
    await expect.poll(() => printed).toContain("token: none");
    const host = /at (http:\S+)/.exec(printed)![1]!;
    const client = new Ollama({ host });
    const messages = [{ role: "user", content: "hello" }];
    for (let times = 0; times < 2; times++) {
      const reply = await client.chat({ model: "tiny", messages, options: { temperature: 0 } });
      expect(reply.message.content).toBe("ok");
    }
    const told = await (await fetch(`${host}/optimization/cache-stats`)).json();
    stop.abort();
    expect(await ended).toBe(0);
    const chats = ollama.requests.slice(before).filter(({ path }) => path === "/api/chat");
    return { printed, told, asked: chats.length };
  }

  test("answers the same call once more, and says where it lies", async () => {
    await using ollama = await startOllamaServer({ models: [{ name: "tiny" }] });
    const folder = mkdtempSync(join(tmpdir(), "serve-"));
    for (const [cache, asked] of [
      ["memory", 1],
      ["folder", 1],
      // A store's folder keeps it beyond the process.
      ["folder", 0],
    ] as const) {
      const seen = await twice(ollama, cache, folder);
      expect(seen.asked).toBe(asked);
      expect(seen.printed).toMatch(new RegExp(`cache: ${cache} \\(--cache\\)`));
      expect(seen.told).toMatchObject({ enabled: true, cache: { hits: 2 - asked, misses: asked } });
    }
    rmSync(folder, { recursive: true });
  });

  test("that is away fails no call, and its credentials are not printed", async () => {
    await using ollama = await startOllamaServer({ models: [{ name: "tiny" }] });
    const folder = mkdtempSync(join(tmpdir(), "serve-"));
    const { printed } = await twice(ollama, "redis://me:secret@127.0.0.1:1/0?x=secret", folder);
    expect(printed).toContain("cache: redis://127.0.0.1:1/0 (--cache)");
    expect(printed).toMatch(/is not used for now/);
    expect(printed).not.toContain("secret");
    rmSync(folder, { recursive: true });
  });
});

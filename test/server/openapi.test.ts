import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { scriptedEngine } from "../../src/testing/index.js";
import { pair } from "./support.js";

interface Document {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly components: { readonly schemas: Record<string, unknown> };
}

const NO_ENVIRONMENTS = 3;

/** The program; null, with a word on the console, where there can be none. */
function schemathesis(): string | null {
  const script = join(import.meta.dirname, "../../scripts/python/schemathesis.sh");
  const { status, stdout, stderr } = spawnSync(script, { encoding: "utf8" });
  if (status === 0) return stdout.trim();
  if (status !== NO_ENVIRONMENTS) throw new Error(`${script}: ${stderr}`);
  console.warn(`SKIPPED: schemathesis, as ${stderr.trim()}`);
  return null;
}

describe("the OpenAPI document", () => {
  test("tells of every route there is, and of no other", async () => {
    await using servers = await pair();
    const document = (await (await servers.app.request("/openapi.json")).json()) as Document;
    expect(document.openapi).toBe("3.1.0");
    const told = Object.entries(document.paths).flatMap(([path, operations]) =>
      Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`),
    );
    const routes = servers.app.routes
      .filter(
        ({ method, path }) => method !== "ALL" && path !== "/" && !path.startsWith("/optimization/dashboard"),
      )
      .map(({ method, path }) => `${method} ${path.replace(/:(\w+)(\{[^}]*\})?/g, "{$1}")}`);
    // Sent on as they are.
    const reading = ["GET /api/tags", "GET /api/ps", "GET /api/version", "POST /api/show"];
    expect(told.sort()).toEqual([...new Set([...routes, ...reading])].sort());
  });

  test("what it refers to is there", async () => {
    await using servers = await pair();
    const text = await (await servers.app.request("/openapi.json")).text();
    const { components } = JSON.parse(text) as Document;
    const names = [...text.matchAll(/#\/components\/schemas\/(\w+)/g)].map(([, name]) => name!);
    expect(names.filter((name) => !(name in components.schemas))).toEqual([]);
    expect(Object.keys(components.schemas).filter((name) => !names.includes(name))).toEqual([]);
  });
});

const program = schemathesis();

/** Sends a server of ours whatever the document permits and forbids, for so many seconds. */
async function attack(seconds: number, ...args: string[]): Promise<{ code: unknown; output: string }> {
  const engine = scriptedEngine({ reply: { content: "some words of a reply" } });
  await using servers = await pair({ engine });
  const { origin } = await servers.listen();
  const document = (await (await fetch(`${origin}/openapi.json`)).json()) as Document;
  // Of invented names it would only learn that there are no such models.
  document.components.schemas.ModelName = { type: "string", enum: ["tiny", "vectors", "absent"] };
  const folder = mkdtempSync(join(tmpdir(), "openapi-"));
  writeFileSync(join(folder, "openapi.json"), JSON.stringify(document));
  // A model that makes no embeddings is a 501 of Ollama's.
  const config = '[checks]\nnot_a_server_error.expected-statuses = ["2xx", "3xx", "4xx", "501"]\n';
  writeFileSync(join(folder, "schemathesis.toml"), config);
  const fixed = [
    "run",
    "openapi.json",
    "--url",
    origin,
    "--phases",
    "examples,coverage,fuzzing",
    "--no-color",
  ];
  const bounds = ["--max-time", String(seconds), "--request-timeout", "10", "--generation-deterministic"];
  const child = spawn(program!, [...fixed, ...bounds, "--continue-on-failure", ...args], { cwd: folder });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (part) => {
      output += part;
    });
  }
  const code = await new Promise((resolve) => child.on("close", resolve));
  rmSync(folder, { recursive: true });
  expect((await fetch(`${origin}/health`)).status).toBe(200);
  return { code, output };
}

describe.skipIf(!program)("schemathesis", { timeout: 180_000 }, () => {
  test("the optimizer's routes take and answer exactly what the document tells", async () => {
    // An endless answer is no answer to it.
    const { code, output } = await attack(
      15,
      "--include-tag",
      "optimizer",
      "--exclude-path",
      "/optimization/events",
    );
    expect(code, output).toBe(0);
  });

  test("Ollama's and OpenAI's routes answer as the document tells, whatever they are sent", async () => {
    const { code, output } = await attack(
      25,
      "--exclude-tag",
      "optimizer",
      // The scripted Ollama has no such route.
      "--exclude-path",
      "/api/embeddings",
      // What is taken is up to Ollama and OpenAI, and more than a schema can say.
      "--exclude-checks",
      "positive_data_acceptance,negative_data_rejection,unsupported_method",
    );
    expect(code, output).toBe(0);
  });
});

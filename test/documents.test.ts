/** The TypeScript of the README and of docs/: every block is compiled against the sources, those marked `run` are run. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, sep } from "node:path";
import ts from "typescript";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { storeOf } from "../src/storage/storeOf.js";
import { type OllamaServer, type Script, scriptedEngine, startOllamaServer } from "../src/testing/index.js";
import { compileProblems, packageSource } from "./compileProblems.js";

const root = join(import.meta.dirname, "..");
const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const guides = readdirSync(join(root, "docs"), { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".md"))
  .map((name) => `docs/${name.replaceAll(sep, "/")}`);
const documents = ["README.md", ...guides].map((file) => ({
  file,
  text: readFileSync(join(root, file), "utf8"),
}));
const readme = documents[0]!.text;
const blocks = documents.flatMap(({ file, text }) =>
  [...text.matchAll(/^```ts( run)?\n([\s\S]*?)^```$/gm)].map(({ index, 1: runs, 2: code }) => ({
    file,
    under: [...text.slice(0, index).matchAll(/^#+ (.*)$/gm)].at(-1)![1]!,
    runs: runs !== undefined,
    code: code!,
  })),
);

function anchorsOf(text: string): string[] {
  return [...text.matchAll(/^#+ (.*)$/gm)].map(
    ([, heading]) =>
      `#${heading!
        .toLowerCase()
        .replace(/[^\w -]/g, "")
        .replaceAll(" ", "-")}`,
  );
}

describe("the README", () => {
  test("shows runnable code by line 10", () => {
    expect(readme.split("\n").slice(0, 10).join("\n")).toContain("```ts run");
    expect(blocks.length).toBeGreaterThan(8);
  });
});

describe("the documents", () => {
  test.each(documents)("$file links only to files and headings that are there", ({ file, text }) => {
    for (const [, target] of text.matchAll(/\]\(([^)]+)\)/g)) {
      const [path, heading] = target!.split("#") as [string, string?];
      const linked = path === "" ? join(root, file) : join(root, dirname(file), path);
      expect(ts.sys.fileExists(linked), target).toBe(true);
      if (heading !== undefined) expect(anchorsOf(readFileSync(linked, "utf8"))).toContain(`#${heading}`);
    }
  });

  test.each(documents)("$file names only scripts that the manifest has", ({ text }) => {
    for (const [, script] of text.matchAll(/npm run ([\w:]+)/g))
      expect(manifest.scripts).toHaveProperty([script!]);
  });

  test("every error code has its line in docs/troubleshooting.md", () => {
    const sources = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".ts"))
      .map((name) => readFileSync(join(root, "src", name), "utf8"));
    const codes = sources.flatMap((text) =>
      [...text.matchAll(/\bcode: "([A-Z]+_[A-Z_]+)"/g)].map(([, code]) => code!),
    );
    const { text } = documents.find(({ file }) => file === "docs/troubleshooting.md")!;
    expect(codes.length).toBeGreaterThan(40);
    expect([...new Set(codes)].filter((code) => !text.includes(`\`${code}\``))).toEqual([]);
  });

  test("compiles", { timeout: 180_000 }, () => {
    const files = blocks.map(({ code }, index): [string, string] => [
      join(root, "src", `document-${index}.ts`),
      code,
    ]);
    expect(compileProblems(new Map(files))).toEqual([]);
  });
});

/** Keeps to a schema where one is given; calls the first tool it is given, then tells what it said. */
const reply: Script["reply"] = ({ messages, tools, format }) => {
  if (format) return {};
  const result = messages.find(({ role }) => role === "tool");
  if (result) return `Yes: ${result.content}`;
  return tools?.length ? { toolCalls: [{ name: "weather", arguments: { city: "Oslo" } }] } : "It scatters.";
};

describe("the documents' code, run on the test server", () => {
  let server: OllamaServer;
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "readme-"));
  });
  beforeEach(async () => {
    server = await startOllamaServer({
      models: [{ name: "qwen3:8b" }, { name: "all-minilm", capabilities: ["embedding"] }],
      engine: scriptedEngine({ reply }),
    });
    vi.stubEnv("OLLAMA_BASE_URL", server.origin);
  });
  afterEach(async () => {
    vi.unstubAllEnvs();
    await storeOf(join(folder, "optimizer")).close();
    await server.close();
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const runnable = blocks.filter(({ runs }) => runs);
  test.each(runnable)("$file: $under", async ({ code }) => {
    const printed = await run(code.replaceAll('"./optimizer"', JSON.stringify(join(folder, "optimizer"))));

    const claimed = [...code.matchAll(/^ *console\.log\(.*\);(?: \/\/ (.*))?$/gm)].map(([, claim]) => claim);
    const values = claimed.map((claim) => claim && /^(["\d[{]|true|false)/.test(claim) && claim);
    for (const [index, value] of values.entries()) {
      if (value) expect(printed[index]).toEqual([new Function(`return ${value}`)()]);
      else expect(printed[index]?.[0]).toBeTruthy();
    }
  });

  test("the agent's tool was called with what the model asked for", async () => {
    const { code } = runnable.find(({ file, under }) => file === "README.md" && under === "Agents")!;
    const printed = await run(code.replaceAll('"./optimizer"', JSON.stringify(join(folder, "optimizer"))));
    expect(printed).toEqual([["Yes: 18 degrees and rain in Oslo"]]);
  });
});

const AsyncFunction = (async () => {}).constructor as new (
  ...code: string[]
) => (...values: unknown[]) => Promise<void>;

/** Runs a module's text; returns what it printed. */
async function run(code: string): Promise<unknown[][]> {
  const { outputText } = ts.transpileModule(code, {
    compilerOptions: { target: ts.ScriptTarget.ES2023, module: ts.ModuleKind.ESNext },
  });
  const body = outputText.replace(
    /^import (\{[^}]*\}) from ("[^"]+");$/gm,
    (_, names: string, from: string) => `const ${names.replaceAll(" as ", ": ")} = await load(${from});`,
  );
  const printed: unknown[][] = [];
  const load = (name: string): Promise<unknown> => {
    const source = packageSource(name);
    return import(source ? join(root, source) : name);
  };
  await new AsyncFunction("load", "console", body)(load, {
    log: (...values: unknown[]) => printed.push(values),
  });
  return printed;
}

/**
 * Installs what would be published into empty projects, as users do: with npm, pnpm and yarn, on every supported line of
 * Node, for both ways in which TypeScript resolves modules. Then its budgets, bytes installed and time to import, and
 * reports/sbom.json: all that a user installs with it, in CycloneDX. Needs the built package and a registry.
 *
 *   node scripts/checkInstalls.mjs
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bin, manifest, pack, peers, root, run, step } from "./checkSteps.mjs";

const MAX_BYTES = 1_000_000;
const MAX_IMPORT_MS = 150;
const tools = ["node22@npm:node@22", "node24@npm:node@24", "pnpm@9", "yarn@1"];
const folder = mkdtempSync(join(tmpdir(), "install-check-"));
const subpaths = Object.entries(manifest.exports).flatMap(([subpath, entry]) =>
  typeof entry === "string" ? [] : [subpath.replace(".", manifest.name)],
);

function emptyProject(name) {
  const path = join(folder, name);
  mkdirSync(path);
  writeFileSync(
    join(path, "package.json"),
    '{ "name": "project", "version": "1.0.0", "private": true, "type": "module" }\n',
  );
  return path;
}

/** Median of what LangChain's own modules leave to load, in milliseconds. */
function importMs(project) {
  const code = `
    await import("@langchain/ollama");
    const from = performance.now();
    await import("${manifest.name}");
    console.log(performance.now() - from);`;
  // A busy machine delays some runs, and hastens none.
  const times = Array.from({ length: 9 }, () =>
    Number(run(process.execPath, ["--input-type=module", "-e", code], project)),
  );
  return Math.min(...times);
}

/** A program that uses types of every subpath, compiled in the project. */
function compile(project, resolution) {
  const imports = subpaths.map((name, index) => `import * as part${index} from "${name}";`);
  const uses = [
    `import { OptimizedChatOllama, type DecisionRecord } from "${manifest.name}";`,
    'const model = new OptimizedChatOllama({ model: "qwen3:8b", store: false });',
    "export const decided = async (): Promise<DecisionRecord> =>",
    '  (await model.invoke("Hello")).response_metadata.optimizer as DecisionRecord;',
    "// @ts-expect-error the store is no number",
    'new OptimizedChatOllama({ model: "qwen3:8b", store: 1 });',
    `export const parts = [${subpaths.map((_, index) => `part${index}`).join(", ")}];`,
  ];
  writeFileSync(join(project, "program.ts"), [...imports, ...uses].join("\n"));
  const compilerOptions = {
    module: resolution === "bundler" ? "esnext" : resolution,
    moduleResolution: resolution,
    target: "es2022",
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    types: [],
  };
  writeFileSync(join(project, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["program.ts"] }));
  run(bin("tsc"), ["-p", "."], project);
}

try {
  const { filename, unpackedSize } = pack(folder);
  const tarball = `file:${join(folder, filename)}`;
  step("size", () => {
    if (unpackedSize > MAX_BYTES)
      throw new Error(`${unpackedSize} bytes installed, ${MAX_BYTES} are permitted`);
    return `${Math.round(unpackedSize / 1000)} of ${MAX_BYTES / 1000} kB`;
  });

  const tool = emptyProject("tools");
  step(
    "pnpm, yarn, Node 22 and 24",
    () => void run("npm", ["install", "--no-audit", "--no-fund", ...tools], tool),
  );
  const program = (name) => join(tool, "node_modules", ".bin", name);
  const nodes = [
    process.execPath,
    ...["node22", "node24"].map((name) => join(tool, "node_modules", name, "bin", "node")),
  ];

  const installs = {
    npm: ["npm", ["install", "--no-audit", "--no-fund", tarball, ...peers]],
    pnpm: [program("pnpm"), ["add", tarball, ...peers]],
    yarn: [program("yarn"), ["add", "--non-interactive", tarball, ...peers]],
  };
  const all = `for (const name of ${JSON.stringify(subpaths)}) if (Object.keys(await import(name)).length === 0) throw new Error(name);
    console.log(process.version);
    process.exit(0);`;
  for (const [manager, [command, args]] of Object.entries(installs)) {
    const project = emptyProject(manager);
    step(manager, () => void run(command, args, project));
    step(`${manager}: every subpath`, () =>
      nodes.map((node) => run(node, ["--input-type=module", "-e", all], project).trim()).join(", "),
    );
  }
  const project = join(folder, "npm");
  for (const resolution of ["nodenext", "bundler"])
    step(`TypeScript, ${resolution}`, () => void compile(project, resolution));
  step("command line", () => {
    const help = run(
      process.execPath,
      [join(project, "node_modules", ".bin", manifest.name), "--help"],
      project,
    );
    return help.split("\n")[0];
  });
  step("SBOM", () => {
    const text = run("npm", ["sbom", "--sbom-format", "cyclonedx"], project);
    const { components } = JSON.parse(text);
    const names = new Set(components.map(({ name, group }) => (group ? `${group}/${name}` : name)));
    const missing = Object.keys(manifest.dependencies).filter((name) => !names.has(name));
    if (missing.length > 0) throw new Error(`not in it: ${missing.join(", ")}`);
    mkdirSync(join(root, "reports"), { recursive: true });
    writeFileSync(join(root, "reports", "sbom.json"), text);
    return `${components.length} components in reports/sbom.json`;
  });
  step("import", () => {
    const ms = importMs(project);
    if (ms > MAX_IMPORT_MS)
      throw new Error(`${ms} ms beyond LangChain's own, ${MAX_IMPORT_MS} are permitted`);
    return `${Math.round(ms)} of ${MAX_IMPORT_MS} ms beyond LangChain's own`;
  });
} catch (error) {
  console.error(`not ok  ${error.message}`);
  process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/**
 * Runs the notebooks with Node, each in a process of its own from top to bottom, and writes their outputs into them.
 * Needs the built package. They run on the Ollama at OLLAMA_BASE_URL with the model OLLAMA_MODEL, else on the server
 * for tests.
 *
 *   node scripts/notebooks.mjs [--check] [--deno] [NAME ...]
 *
 * --check  writes nothing: fails where a cell fails or an output is lost
 * --deno   with Deno's kernel under Debian's jupyter-nbconvert instead of Node
 */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs, promisify } from "node:util";
import ts from "typescript";

const root = dirname(import.meta.dirname);
const folder = join(root, "notebooks");
/** Inside the package, so that its own name leads to it. */
const built = join(root, "reports", "notebooks");
const TIMEOUT_MS = 600_000;

/** Names of all notebooks, without the ending. */
export function notebookNames() {
  return readdirSync(folder)
    .filter((name) => name.endsWith(".ipynb"))
    .map((name) => name.slice(0, -".ipynb".length))
    .sort();
}

export function readNotebook(name) {
  return JSON.parse(readFileSync(join(folder, `${name}.ipynb`), "utf8"));
}

export const codeCells = ({ cells }) => cells.filter(({ cell_type }) => cell_type === "code");
export const sourceOf = ({ source }) => (Array.isArray(source) ? source.join("") : source);

/** Outputs that a cell shows at least: one for each call of text, table and chart that is a statement of its own. */
export function expectedOutputs(cell) {
  return sourceOf(cell).match(/^await (text|table|chart)\(/gm)?.length ?? 0;
}

/** Of the code that made the outputs: tells outputs of an earlier text. */
export function digestOf(notebook) {
  const text = codeCells(notebook).map(sourceOf).join("\n\n");
  return createHash("sha256").update(text).digest("hex");
}

/** Cells whose outputs are fewer than what they show, or that failed. */
export function lostOutputs(notebook) {
  return codeCells(notebook).flatMap((cell, index) => {
    const shown = (cell.outputs ?? []).filter(({ output_type }) => output_type === "display_data").length;
    const failed = (cell.outputs ?? []).some(({ output_type }) => output_type === "error");
    const expected = expectedOutputs(cell);
    return failed || shown < expected ? [`code cell ${index + 1} has ${shown} of ${expected} outputs`] : [];
  });
}

const transpile = (text) =>
  ts.transpileModule(text, {
    compilerOptions: {
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.ESNext,
      rewriteRelativeImportExtensions: true,
    },
  }).outputText;

/** The cells as one module: imports may stand in any of them, and all share their names. */
function moduleOf(notebook) {
  return codeCells(notebook)
    .map((cell, index) => `globalThis.notebookCell(${index});\n${sourceOf(cell)}`)
    .join("\n");
}

async function runWithNode(name, notebook) {
  const lib = join(built, "lib");
  mkdirSync(lib, { recursive: true });
  for (const file of readdirSync(join(folder, "lib")))
    writeFileSync(
      join(lib, file.replace(/\.ts$/, ".js")),
      transpile(readFileSync(join(folder, "lib", file), "utf8")),
    );
  const [module, result] = [join(built, `${name}.mjs`), join(built, `${name}.json`)];
  writeFileSync(module, transpile(moduleOf(notebook)));
  rmSync(result, { force: true });
  const call = [fileURLToPath(import.meta.url), "--child", module, result];
  await promisify(execFile)(process.execPath, call, { cwd: folder, timeout: TIMEOUT_MS });
  return JSON.parse(readFileSync(result, "utf8"));
}

/** In the child: outputs by cell, written when the module has ended. */
async function runModule(module, result) {
  const outputs = [];
  globalThis.notebookCell = () => outputs.push([]);
  globalThis.notebookOutput = (data) =>
    outputs.at(-1).push({ output_type: "display_data", data, metadata: {} });
  console.log = (...values) => globalThis.notebookOutput({ "text/plain": values.join(" ") });
  try {
    await import(pathToFileURL(module).href);
  } catch (error) {
    console.error(`code cell ${outputs.length} failed:`, error);
    process.exit(1);
  }
  writeFileSync(result, JSON.stringify(outputs));
}

async function runWithDeno(name) {
  const kernels = join(built, "jupyter", "kernels", "deno");
  mkdirSync(kernels, { recursive: true });
  const deno = join(root, "node_modules", ".bin", "deno");
  const argv = [deno, "jupyter", "--kernel", "--conn", "{connection_file}"];
  writeFileSync(
    join(kernels, "kernel.json"),
    JSON.stringify({ argv, display_name: "Deno", language: "typescript" }),
  );
  const nbconvert =
    ["/usr/bin/jupyter-nbconvert", "jupyter-nbconvert"].find((path) => existsSync(path)) ??
    "jupyter-nbconvert";
  const call = ["--to", "notebook", "--execute", "--output-dir", built, "--output", `${name}.ipynb`];
  await promisify(execFile)(nbconvert, [...call, join(folder, `${name}.ipynb`)], {
    cwd: folder,
    timeout: TIMEOUT_MS,
    env: { ...process.env, JUPYTER_PATH: join(built, "jupyter") },
  });
  const executed = JSON.parse(readFileSync(join(built, `${name}.ipynb`), "utf8"));
  return codeCells(executed).map(({ outputs }) => outputs);
}

/** Text of media types as lines, as Jupyter writes it: changes stay readable in a diff. */
function asLines(data) {
  return Object.fromEntries(
    Object.entries(data).map(([type, text]) => [type, Array.isArray(text) ? text : text.split(/(?<=\n)/)]),
  );
}

function withOutputs(notebook, outputs) {
  let index = 0;
  const cells = notebook.cells.map((cell) => {
    if (cell.cell_type !== "code") return cell;
    const own = outputs[index++].map((output) =>
      output.data ? { ...output, data: asLines(output.data) } : output,
    );
    return { ...cell, execution_count: index, outputs: own };
  });
  const filled = { ...notebook, cells };
  return { ...filled, metadata: { ...filled.metadata, sourceDigest: digestOf(filled) } };
}

async function main() {
  const { values, positionals } = parseArgs({
    options: { check: { type: "boolean" }, deno: { type: "boolean" }, child: { type: "boolean" } },
    allowPositionals: true,
  });
  if (values.child) return runModule(...positionals);
  for (const name of positionals.length ? positionals : notebookNames()) {
    const notebook = readNotebook(name);
    const from = performance.now();
    let problems;
    let filled;
    try {
      const outputs = await (values.deno ? runWithDeno(name) : runWithNode(name, notebook));
      filled = withOutputs(notebook, outputs);
      problems = lostOutputs(filled);
    } catch (error) {
      problems = [error.stderr || error.message];
    }
    const seconds = ((performance.now() - from) / 1000).toFixed(1);
    if (problems.length) {
      console.error(`failed  ${name}, ${seconds} s\n${problems.join("\n")}`);
      process.exitCode = 1;
      continue;
    }
    const shown = codeCells(filled).flatMap(({ outputs }) => outputs).length;
    console.log(`ok  ${name}: ${shown} outputs, ${seconds} s`);
    if (!values.check) writeFileSync(join(folder, `${name}.ipynb`), `${JSON.stringify(filled, null, 1)}\n`);
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();

/**
 * Starts programs that use the store from source. Node 20 runs no TypeScript, so what such a program imports is
 * transpiled first, beside the packages it needs.
 */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import ts from "typescript";

const root = fileURLToPath(new URL("../..", import.meta.url));

export type Child = ChildProcessByStdio<null, Readable, Readable>;

export interface ChildPrograms {
  /** Starts `test/storage/children/NAME.ts`. */
  start(name: string, ...words: string[]): Child;
  /** The program as a file, to be started by something else. */
  path(name: string): string;
  remove(): void;
}

export function buildChildren(): ChildPrograms {
  const cache = join(root, "node_modules", ".cache");
  mkdirSync(cache, { recursive: true });
  const folder = mkdtempSync(join(cache, "store-children-"));
  const done = new Set<string>();
  const path = (name: string) => transpile(join(root, "test/storage/children", `${name}.ts`), folder, done);
  return {
    path,
    start: (name, ...words) =>
      spawn(process.execPath, [path(name), ...words], { stdio: ["ignore", "pipe", "pipe"] }),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

function transpile(file: string, folder: string, done: Set<string>): string {
  const target = join(folder, relative(root, file)).replace(/\.ts$/, ".js");
  if (done.has(file)) return target;
  done.add(file);
  const options = {
    module: ts.ModuleKind.ESNext,
    target: ts.ScriptTarget.ES2022,
    verbatimModuleSyntax: true,
  };
  const { outputText } = ts.transpileModule(readFileSync(file, "utf8"), { compilerOptions: options });
  for (const { fileName } of ts.preProcessFile(outputText).importedFiles) {
    if (fileName.startsWith("."))
      transpile(resolve(dirname(file), fileName.replace(/\.(js|ts)$/, ".ts")), folder, done);
  }
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(target, outputText.replaceAll(/(from\s+"\.[^"]*)\.ts"/g, '$1.js"'));
  return target;
}

/** Exit code and signal once it has ended, with everything it printed. */
export async function ended(
  child: Child,
): Promise<{ code: number | null; signal: string | null; output: string; errors: string }> {
  let [output, errors] = ["", ""];
  child.stdout.on("data", (data) => {
    output += data;
  });
  child.stderr.on("data", (data) => {
    errors += data;
  });
  return new Promise((done) => child.once("close", (code, signal) => done({ code, signal, output, errors })));
}

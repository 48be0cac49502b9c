/**
 * Lets the tests run the tokenizer thread from source. `new Worker(new URL("./worker.js", import.meta.url))` finds the
 * built file in `dist`; beside `src/tokens/pool.ts` there is none, and Node 20 runs no TypeScript. So the tests' Vite
 * transpiles the worker and what it imports into `node_modules/.cache` and points the pool there.
 */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import ts from "typescript";
import type { Plugin } from "vitest/config";

const root = fileURLToPath(new URL("..", import.meta.url));
const source = join(root, "src");
const cache = join(root, "node_modules", ".cache", "tokenizer-worker");

/** Transpiles a file and its relative imports; answers where the file went. */
function transpile(file: string, done: Set<string> = new Set()): string {
  const target = join(cache, relative(source, file)).replace(/\.ts$/, ".js");
  if (done.has(file)) return target;
  done.add(file);
  const { outputText } = ts.transpileModule(readFileSync(file, "utf8"), {
    compilerOptions: {
      module: ts.ModuleKind.ESNext,
      target: ts.ScriptTarget.ES2022,
      verbatimModuleSyntax: true,
    },
  });
  mkdirSync(dirname(target), { recursive: true });
  writeAtomically(target, outputText);
  for (const [, path] of outputText.matchAll(/from "(\.[^"]+)\.js"/g))
    transpile(join(dirname(file), `${path}.ts`), done);
  return target;
}

/** Other test runs may read the file meanwhile. */
function writeAtomically(file: string, text: string): void {
  writeFileSync(`${file}.${process.pid}`, text);
  renameSync(`${file}.${process.pid}`, file);
}

/** Vitest plugin; see above. */
export function tokenizerWorker(): Plugin {
  let worker: string | null = null;
  return {
    name: "tokenizer-worker",
    transform(code, id) {
      if (!id.endsWith("/src/tokens/pool.ts")) return null;
      if (worker === null) {
        worker = transpile(join(source, "tokens", "worker.ts"));
        // A test runs the folder as a program of its own would, without Vite.
        transpile(join(source, "tokens", "index.ts"));
        writeFileSync(join(cache, "package.json"), '{ "type": "module" }\n');
      }
      const url = JSON.stringify(pathToFileURL(worker).href);
      return { code: code.replace('new URL("./worker.js", import.meta.url)', `new URL(${url})`), map: null };
    },
  };
}

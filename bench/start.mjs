/**
 * `node bench/start.mjs NAME [ARGUMENTS]` builds the sources as the package is built, beside the benchmarks, into
 * `node_modules/.cache/bench`, and runs `bench/NAME.ts` there. Builds of runs at the same time do not meet.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { build } from "tsdown";

const root = join(import.meta.dirname, "..");
const cache = join(root, "node_modules", ".cache");
mkdirSync(cache, { recursive: true });
const folder = mkdtempSync(join(cache, "bench-"));
const [name, ...rest] = process.argv.slice(2);
let child;
// The benchmark stops its servers; this waits for it.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child?.kill(signal));
try {
  await build({
    cwd: root,
    config: false,
    logLevel: "warn",
    entry: ["src/**/*.ts", "bench/**/*.ts"],
    outDir: folder,
    format: "esm",
    fixedExtension: false,
    platform: "node",
    target: "node20",
    unbundle: true,
    dts: false,
    sourcemap: true,
  });
  child = spawn(process.execPath, ["--expose-gc", join(folder, "bench", `${name}.js`), ...rest], {
    cwd: root,
    stdio: "inherit",
  });
  const [code] = await once(child, "exit");
  process.exitCode = code ?? 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}

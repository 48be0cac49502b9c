import { readFileSync } from "node:fs";

const { exports } = JSON.parse(readFileSync(new URL("package.json", import.meta.url), "utf8"));
/** What users can import; the build keeps every file where it lies. */
const subpaths = Object.values(exports)
  .filter((entry) => typeof entry === "object")
  .map((entry) => entry.default.replace("./dist/", "src/").replace(/\.js$/, ".ts"));

export default {
  entry: [
    ...subpaths,
    "src/cli/*.ts",
    "scripts/*.mjs",
    "scripts/*/{models,serve,start}.mjs",
    "bench/*.{ts,mjs}",
    "notebooks/lib/*.ts",
    "test/**/*.test.ts",
    "test/{storage,live}/children/*.ts",
    "test/types/*.ts",
  ],
  project: ["src/**/*.ts", "scripts/**/*.mjs", "bench/**/*.{ts,mjs}", "notebooks/lib/*.ts", "test/**/*.ts"],
  // It builds every file of src, which would make each of them an entry whose exports count as used.
  tsdown: false,
  vitest: { config: ["vitest*.config.ts"] },
  ignoreExportsUsedInFile: true,
  // Of the system.
  ignoreBinaries: ["apt-get", "flock", "strace", "mount", "umount"],
  // Run by scripts/checkPackage.mjs through its command line; required by a benchmark that is bundled first; the kernel
  // of the notebooks; started by the server's benchmark as a program.
  ignoreDependencies: ["@arethetypeswrong/cli", "simhash-js", "deno", "@portkey-ai/gateway"],
};

import { readFileSync } from "node:fs";
import { defineConfig } from "tsdown";

const { exports } = JSON.parse(readFileSync(new URL("package.json", import.meta.url), "utf8"));
/** What users import. */
const subpaths = Object.values(exports as Record<string, string | { types: string }>).flatMap((entry) =>
  typeof entry === "string" ? [] : entry.types.replace("./dist/", "src/").replace(/\.d\.ts$/, ".ts"),
);

export default defineConfig({
  entry: ["src/**/*.ts"],
  format: "esm",
  // Types that no subpath leads to would be half of them.
  dts: { entry: subpaths },
  unbundle: true,
  // The manifest says "type": "module", so .js and .d.ts are right; tsdown would write .mjs.
  fixedExtension: false,
  platform: "node",
  target: "node20",
  sourcemap: false,
  // Our own files are to stay below 1 MB; what functions and classes are called stays, for stack traces.
  minify: {
    compress: { keepNames: { function: true, class: true } },
    mangle: { toplevel: true, keepNames: { function: true, class: true } },
    codegen: { removeWhitespace: true },
  },
  clean: true,
  // Served to browsers as they are.
  copy: { from: "src/server/dashboard/page", to: "dist/server/dashboard" },
});

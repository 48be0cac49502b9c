import { readFileSync } from "node:fs";
import { defineConfig, type UserConfig } from "tsdown";

const { exports } = JSON.parse(readFileSync(new URL("package.json", import.meta.url), "utf8"));
/** What users import. */
const subpaths = Object.values(exports as Record<string, string | { types: string }>).flatMap((entry) =>
  typeof entry === "string" ? [] : entry.types.replace("./dist/", "src/").replace(/\.d\.ts$/, ".ts"),
);
const page = "src/server/dashboard/page";

const all: UserConfig = {
  format: "esm",
  unbundle: true,
  // The manifest says "type": "module", so .js and .d.ts are right; tsdown would write .mjs.
  fixedExtension: false,
  sourcemap: false,
  // Our own files are to stay below 1 MB; what functions and classes are called stays, for stack traces.
  minify: {
    compress: { keepNames: { function: true, class: true } },
    mangle: { toplevel: true, keepNames: { function: true, class: true } },
    codegen: { removeWhitespace: true },
  },
  clean: true,
};

export default defineConfig([
  {
    ...all,
    entry: ["src/**/*.ts"],
    // Types that no subpath leads to would be half of them.
    dts: { entry: subpaths },
    platform: "node",
    target: "node20",
  },
  // Served to browsers file by file, as they lie.
  {
    ...all,
    entry: [`${page}/**/*.js`],
    root: page,
    outDir: "dist/server/dashboard/page",
    dts: false,
    platform: "browser",
    target: "es2023",
    copy: ["html", "css", "svg"].map((type) => ({
      from: `${page}/*.${type}`,
      to: "dist/server/dashboard/page",
    })),
  },
]);

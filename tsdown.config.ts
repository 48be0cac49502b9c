import { defineConfig } from "tsdown";

export default defineConfig({
  entry: ["src/**/*.ts"],
  format: "esm",
  dts: true,
  unbundle: true,
  // The manifest says "type": "module", so .js and .d.ts are right; tsdown would write .mjs.
  fixedExtension: false,
  platform: "node",
  target: "node20",
  sourcemap: false,
  clean: true,
  // Served to browsers as they are.
  copy: { from: "src/server/dashboard/page", to: "dist/server/dashboard" },
});

import { defineConfig } from "vitest/config";
import { tokenizerWorker } from "./scripts/tokenizerWorker.js";

export default defineConfig({
  plugins: [tokenizerWorker()],
  test: {
    include: ["test/**/*.test.ts"],
    exclude: ["test/live/**", "node_modules/**"],
    testTimeout: 30_000,
    coverage: {
      provider: "v8",
      include: ["src/**/*.ts"],
      reporter: ["text-summary", "json-summary"],
      reportsDirectory: "coverage",
    },
  },
});

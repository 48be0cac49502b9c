import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";
import { tokenizerWorker } from "./scripts/tokenizerWorker.js";

export default defineConfig({
  plugins: [tokenizerWorker()],
  test: {
    include: ["test/**/*.test.ts"],
    exclude: ["test/live/**", "node_modules/**"],
    testTimeout: 30_000,
    // Its default leaves one core idle, of two.
    maxWorkers: availableParallelism(),
    coverage: {
      provider: "v8",
      include: ["src/**/*.ts"],
      reporter: ["text-summary", "json-summary"],
      reportsDirectory: "coverage",
    },
  },
});

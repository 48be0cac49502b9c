import { defineConfig } from "vitest/config";
import { tokenizerWorker } from "./scripts/tokenizerWorker.js";

const { OLLAMA_TEST_0_34, OLLAMA_TEST_0_24 } = process.env;

/** Tests on real Ollama servers (OLLAMA_TEST_0_34, OLLAMA_TEST_0_24): as many files at a time as there are servers of each. */
export default defineConfig({
  plugins: [tokenizerWorker()],
  test: {
    include: ["test/live/**/*.live.test.ts"],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    setupFiles: ["./test/live/ownServers.ts"],
    maxWorkers: (OLLAMA_TEST_0_34 ?? OLLAMA_TEST_0_24 ?? "").split(",").length,
    // Durations of real servers tell a reload from a warm call; a machine that stalls once should not fail a run.
    retry: 1,
  },
});

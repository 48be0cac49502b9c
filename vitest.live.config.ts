import { defineConfig } from "vitest/config";
import { tokenizerWorker } from "./scripts/tokenizerWorker.js";

/** Tests on real Ollama servers (OLLAMA_TEST_0_34, OLLAMA_TEST_0_24): one file at a time, they share the servers. */
export default defineConfig({
  plugins: [tokenizerWorker()],
  test: {
    include: ["test/live/**/*.live.test.ts"],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    fileParallelism: false,
    // Durations of real servers tell a reload from a warm call; a machine that stalls once should not fail a run.
    retry: 1,
  },
});

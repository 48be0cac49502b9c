import { defineConfig } from "vitest/config";

/** The tests that Stryker runs against faults in `src/optimizer`: its own, which are pure; those at scale are too slow for it. */
export default defineConfig({
  test: { include: ["test/optimizer/**/*.test.ts"], exclude: ["**/*.scale.test.ts"], testTimeout: 120_000 },
});

import { defineConfig } from "vitest/config";

/** The tests that Stryker runs against faults in `src/optimizer`: its own, which are pure and fast. */
export default defineConfig({ test: { include: ["test/optimizer/**/*.test.ts"], testTimeout: 120_000 } });

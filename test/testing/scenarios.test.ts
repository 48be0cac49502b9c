/** The facts that real servers gave (recorded by `test/live/testing.live.test.ts`) hold on the test server. */
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { OllamaServer } from "../../src/testing/index.js";
import { scenarioServer } from "./scenarioServer.js";
import { callsOf, nothingLoaded, scenarios } from "./scenarios.js";

for (const version of ["0.34.0", "0.24.0"]) {
  const recorded = JSON.parse(
    readFileSync(new URL(`../fixtures/scenarios/${version}.json`, import.meta.url), "utf8"),
  ) as Record<string, unknown>;

  describe(`what Ollama ${version} did`, () => {
    let server: OllamaServer;
    beforeAll(async () => {
      server = await scenarioServer(version);
    });
    afterAll(() => server.close());

    for (const { name, run } of scenarios.filter((scenario) => (scenario.version ?? version) === version)) {
      it(name, async () => {
        const calls = callsOf(server.origin);
        await nothingLoaded(calls);
        expect(JSON.parse(JSON.stringify(await run(calls)))).toEqual(recorded[name]);
      });
    }
  });
}

/**
 * The test server tells the truth: every scenario gives the same facts on it and on a real Ollama.
 *
 *   OLLAMA_TEST_0_34=http://127.0.0.1:11434 OLLAMA_TEST_0_24=http://... npx vitest run --config ... test/live
 *
 * The model is generated and uploaded; with RECORD=1 the real facts are written to test/fixtures/scenarios.
 */
import { createHash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { chatTemplate } from "../../src/testing/chatTemplate.js";
import { tinyModelFile } from "../../src/testing/index.js";
import { scenarioServer } from "../testing/scenarioServer.js";
import {
  type Calls,
  callsOf,
  nothingLoaded,
  scenarioAlias,
  scenarioModel,
  scenarios,
  trainedNumCtx,
} from "../testing/scenarios.js";

for (const [version, variable] of [
  ["0.34.0", "OLLAMA_TEST_0_34"],
  ["0.24.0", "OLLAMA_TEST_0_24"],
] as const) {
  const origin = process.env[variable];
  if (!origin) console.warn(`SKIPPED: Ollama ${version}, as ${variable} names no server`);

  describe.skipIf(!origin)(`Ollama ${version} and the test server`, () => {
    let real: Calls;
    let own: Calls;
    let stop: () => Promise<void>;
    const recorded: Record<string, unknown> = {};

    beforeAll(async () => {
      real = callsOf(origin!);
      const server = await scenarioServer(version);
      own = callsOf(server.origin);
      stop = () => server.close();
      await createModels(origin!);
    }, 120_000);
    afterAll(async () => {
      if (process.env.RECORD) {
        const folder = new URL("../fixtures/scenarios/", import.meta.url);
        mkdirSync(folder, { recursive: true });
        writeFileSync(new URL(`${version}.json`, folder), `${JSON.stringify(recorded, null, 1)}\n`);
      }
      await stop?.();
    });

    for (const { name, run } of scenarios.filter((scenario) => (scenario.version ?? version) === version)) {
      it(`agree: ${name}`, { timeout: 120_000 }, async () => {
        await nothingLoaded(real);
        await nothingLoaded(own);
        const facts = JSON.parse(JSON.stringify(await run(real))) as unknown;
        recorded[name] = facts;
        expect(JSON.parse(JSON.stringify(await run(own)))).toEqual(facts);
      });
    }
  });
}

/** Uploads the weights once and names them twice. */
async function createModels(origin: string): Promise<void> {
  const file = tinyModelFile({ trainedNumCtx, endsReplies: false });
  const digest = `sha256:${createHash("sha256").update(file).digest("hex")}`;
  await fetch(`${origin}/api/blobs/${digest}`, { method: "POST", body: new Uint8Array(file) });
  for (const model of [scenarioModel, scenarioAlias]) {
    const reply = await fetch(`${origin}/api/create`, {
      method: "POST",
      body: JSON.stringify({
        model,
        files: { "tiny.gguf": digest },
        template: chatTemplate([]),
        stream: false,
      }),
    });
    if (!reply.ok) throw new Error(`${model}: ${await reply.text()}`);
  }
}

import { type OllamaServer, scriptedEngine, startOllamaServer } from "../../src/testing/index.js";
import { scenarioAlias, scenarioModel, trainedNumCtx } from "./scenarios.js";

/** The test server set up like the real ones of the scenarios. */
export function scenarioServer(version: string): Promise<OllamaServer> {
  const blob = "5c".repeat(32);
  return startOllamaServer({
    version,
    models: [scenarioModel, scenarioAlias].map((name) => ({
      name,
      blob,
      trainedNumCtx,
      capabilities: ["completion"] as const,
    })),
    // The generated model never ends by itself.
    engine: scriptedEngine({ reply: { content: "", outputTokens: Number.POSITIVE_INFINITY } }),
  });
}

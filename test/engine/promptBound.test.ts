import { expect, test } from "vitest";
import type { WireRequest } from "../../src/backend/wire.js";
import { Engine } from "../../src/engine/engine.js";
import { PromptCounter } from "../../src/engine/promptCounter.js";
import { silentLogger } from "../../src/logger.js";
import { memoryStore } from "../../src/storage/memory.js";
import { scriptedEngine, startOllamaServer } from "../../src/testing/index.js";
import { TokenizerPool } from "../../src/tokens/index.js";

test("a model's own SYSTEM is part of the bound, so that the reply has no more room than it leaves", async () => {
  await using server = await startOllamaServer({
    models: [{ name: "persona", system: "word ".repeat(3_000) }],
    engine: scriptedEngine(),
  });
  const engine = new Engine({ store: memoryStore() });
  const reply = await engine.send({
    origin: server.origin,
    path: "/api/chat",
    body: { model: "persona", messages: [{ role: "user", content: "hello" }] },
    optimize: true,
    onOverflow: "error",
    source: "model",
  });
  for await (const _ of reply.chunks);
  const { promptTokens } = await reply.recorded;
  const decision = reply.decision();
  await engine.close();
  expect(promptTokens).toBeGreaterThan(3_000);
  expect(decision.promptTokens).toBeGreaterThanOrEqual(promptTokens!);
  expect(promptTokens! + decision.numPredict!).toBeLessThanOrEqual(decision.numCtx!);
});

test.each<[string, Partial<WireRequest>, number]>([
  ["the text behind the place to fill", { suffix: "word ".repeat(500) }, 2_500],
  ["a template of its own", { template: `${"word ".repeat(500)}{{ .Prompt }}` }, 2_500],
  ["the tokens of what was said before", { context: new Array(3_000).fill(1) }, 3_000],
])("what /api/generate renders is part of the bound: %s", async (_, more, tokens) => {
  const pool = new TokenizerPool();
  const counter = new PromptCounter(pool, memoryStore(), silentLogger);
  expect(await counter.upperBound(null, { prompt: "hello", ...more })).toBeGreaterThan(tokens);
});

import { expect, test } from "vitest";
import { OptimizedChatOllama } from "../../src/index.js";
import { memoryStore } from "../../src/storage/memory.js";
import { scriptedEngine, startOllamaServer } from "../../src/testing/index.js";

test("what is learned after a call leaves a store alone that was closed meanwhile", async () => {
  await using server = await startOllamaServer({
    models: [{ name: "tiny" }],
    engine: scriptedEngine({ reply: "ok" }),
  });
  const warnings: string[] = [];
  const logger = { warn: (text: string) => void warnings.push(text) };
  for (const wait of [0, 20, 45, 50, 55, 60, 80]) {
    const store = memoryStore({ logger });
    const model = new OptimizedChatOllama({ model: "tiny", baseUrl: server.origin, store, logger });
    await model.invoke("hello");
    await new Promise((resolve) => setTimeout(resolve, wait));
    await store.close();
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  expect(warnings).toEqual([]);
  const closed = memoryStore({ logger });
  await closed.close();
  await new OptimizedChatOllama({ model: "tiny", baseUrl: server.origin, store: closed, logger }).invoke(
    "late",
  );
  await expect.poll(() => warnings).toEqual([expect.stringContaining("The store is closed")]);
});

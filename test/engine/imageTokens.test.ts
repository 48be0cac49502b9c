import { expect, test } from "vitest";
import { Engine } from "../../src/engine/engine.js";
import { memoryStore } from "../../src/storage/memory.js";
import { scriptedEngine, startOllamaServer } from "../../src/testing/index.js";

test("an image is counted as what its model makes of one, and never exactly", async () => {
  const server = await startOllamaServer({ models: [{ name: "tiny" }], engine: scriptedEngine() });
  const engine = new Engine({ store: memoryStore() });
  // As Ollama tells it of Gemma 3; the test server's models have no images.
  const told = { "general.architecture": "gemma3", "gemma3.mm.tokens_per_image": 256 };
  const transport = async (url: string, init?: RequestInit) => {
    const reply = await fetch(url, init);
    const body = url.endsWith("/api/show")
      ? Buffer.from(JSON.stringify({ ...((await reply.json()) as object), model_info: told }))
      : Buffer.from(await reply.arrayBuffer());
    return { status: reply.status, headers: {}, body: [body] };
  };
  const tokens = async (images: number) => {
    const messages = [{ role: "user", content: "Look", images: Array(images).fill("AAAA") }];
    const call = { origin: server.origin, body: { model: "tiny", messages }, transport: transport as never };
    return engine.countTokens(call);
  };
  const [none, two] = [await tokens(0), await tokens(2)];
  expect(two.tokens - none.tokens).toBe(2 * 264);
  expect(two.source).not.toBe("exact");
  await engine.close();
  await server.close();
});

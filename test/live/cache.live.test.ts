/**
 * The caches on real Ollama servers.
 *
 *   node scripts/ollama/serve.mjs -- npx vitest run --config vitest.live.config.ts test/live/cache.live.test.ts
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { OllamaEmbeddings } from "@langchain/ollama";
import { afterAll, describe, expect, test } from "vitest";
import { ExactCache, folderBackend } from "../../src/cache/index.js";
import { SemanticCache } from "../../src/cache/semantic/index.js";
import { OptimizedChatOllama, type OptimizedChatOllamaInput } from "../../src/index.js";
import { memoryStore } from "../../src/storage/memory.js";
import { ENTRY_PATHS } from "../chatModel/entryPaths.js";
import { recordedEmbeddings } from "../fixtures/paraphrases/embeddings.mjs";
import { pairsOf, readQuestions } from "../fixtures/paraphrases/questions.mjs";

const SERVERS = [
  ["0.34.0", process.env.OLLAMA_TEST_0_34],
  ["0.24.0", process.env.OLLAMA_TEST_0_24],
] as const;
const cacheOf = (reply: { response_metadata: Record<string, unknown> }) =>
  reply.response_metadata.cache as { readonly hits: number; readonly source?: string } | undefined;

describe.each(SERVERS)("Ollama %s", (version, origin) => {
  if (!origin) {
    test.skip(`no server: run by "node scripts/ollama/serve.mjs -- ..." with ${version} installed`, () => {});
    return;
  }
  const store = memoryStore();
  const folder = mkdtempSync(join(tmpdir(), "optimizer-live-cache-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const chat = (fields: OptimizedChatOllamaInput) =>
    new OptimizedChatOllama({ model: "smollm2", baseUrl: origin, store, temperature: 0, seed: 1, ...fields });

  test("a reply of each way in is given again in every other way, from a folder, by another program", async () => {
    const replies = [];
    for (const [index, { reply }] of ENTRY_PATHS.entries()) {
      const cache = new ExactCache({ backend: folderBackend(folder) });
      const prompt = `Say the word ${index} and stop.`;
      replies.push({ prompt, ...(await reply(chat({ cache }), {}, prompt)), text: "" });
      await cache.close();
    }
    const cache = new ExactCache({ backend: folderBackend(folder) });
    for (const [index, { prompt, response_metadata }] of replies.entries()) {
      // What was cut at its limit is not kept.
      const isKept = response_metadata.done_reason === "stop";
      const { reply } = ENTRY_PATHS[(index + 1) % ENTRY_PATHS.length]!;
      const again = await reply(chat({ cache }), {}, prompt);
      expect(cacheOf(again) !== undefined, prompt).toBe(isKept);
      if (isKept) expect(again.usage_metadata!.total_tokens).toBe(0);
    }
    expect(replies.some(({ response_metadata }) => response_metadata.done_reason === "stop")).toBe(true);
    await cache.close();
  });

  test("equal calls at the same time are one call", async () => {
    const cache = new ExactCache();
    const replies = await Promise.all([1, 2, 3, 4].map(() => chat({ cache }).invoke("Name a colour.")));
    expect(replies.filter((reply) => cacheOf(reply) === undefined)).toHaveLength(1);
    expect((await cache.statistics()).timeSavedMs).toBeGreaterThan(0);
  });
});

describe("MiniLM on Ollama 0.34.0", () => {
  const origin = process.env.OLLAMA_TEST_0_34;
  if (!origin) {
    test.skip("no server of 0.34.0", () => {});
    return;
  }
  const embeddings = new OllamaEmbeddings({ model: "minilm", baseUrl: origin });

  test("gives the embeddings that are recorded", async () => {
    const recorded = [...recordedEmbeddings()].filter((_, index) => index % 50 === 0);
    const real = await embeddings.embedDocuments(recorded.map(([text]) => text));
    for (const [index, [text, vector]] of recorded.entries()) {
      const cosine = real[index]!.reduce((sum, value, at) => sum + value * vector[at]!, 0);
      expect(cosine / Math.hypot(...real[index]!), text).toBeGreaterThan(0.999);
    }
  });

  test("lets a model answer a question in other words, and not one about something else", async () => {
    const cache = new SemanticCache({ embeddings, wrongHits: 0.05 });
    const judged = readQuestions()
      .slice(0, 10)
      .flatMap(pairsOf)
      .filter(({ isSame }, index) => isSame && index % 2 === 0);
    expect((await cache.learn(judged)).threshold).not.toBeNull();
    const model = new OptimizedChatOllama({
      model: "smollm2",
      baseUrl: origin,
      store: memoryStore(),
      temperature: 0,
      cache,
    });
    const asked = "What is the tallest building in Dubai?";
    const first = await model.invoke(asked);
    expect(first.response_metadata.done_reason).toBe("stop");
    const again = await model.invoke("What's Dubai's tallest building?");
    expect(again.text).toBe(first.text);
    expect(cacheOf(again)).toMatchObject({ source: asked });
    expect(cacheOf(await model.invoke("What's Chicago's tallest building?"))).toBe(undefined);
  });
});

/** Real inference. Needs `node scripts/installEngine.mjs` once; skips loudly without. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { ggufFile } from "../../src/testing/gguf.js";
import {
  bytePairTokenizer,
  llamaEngine,
  type OllamaServer,
  startOllamaServer,
  tinyModelFile,
  tinyTokenizer,
} from "../../src/testing/index.js";
import { importNodeLlamaCpp, type LlamaModel } from "../../src/testing/nodeLlamaCpp.js";
import { ask, loaded, post, words } from "./call.js";

const engine = await importNodeLlamaCpp().catch(() => null);
if (!engine)
  console.warn("SKIPPED: real inference, as node-llama-cpp is missing: run node scripts/installEngine.mjs");

describe.skipIf(!engine)("the generated model", () => {
  const folder = mkdtempSync(join(tmpdir(), "tiny-model-"));
  const modelPath = join(folder, "tiny.gguf");
  let vocabulary: LlamaModel;
  beforeAll(async () => {
    writeFileSync(modelPath, tinyModelFile({ trainedNumCtx: 4096, seed: 3 }));
    const llama = await engine!.getLlama({ gpu: false, build: "never", logLevel: "error" });
    vocabulary = await llama.loadModel({ modelPath, vocabOnly: true });
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it("is a GGUF file with the keys it was written with", async () => {
    const { metadata } = await engine!.readGgufFileInfo(modelPath);
    expect(metadata).toMatchObject({
      general: { architecture: "llama" },
      llama: { context_length: 4096, block_count: 4, embedding_length: 256 },
    });
    expect(tinyModelFile({ seed: 3 }).length).toBeGreaterThan(13e6);
  });

  it.each([
    "the of and to",
    "Hello World 12345 it's\n\n  x",
    "日本語 emoji 😀👩‍👩‍👧 end",
    "<|im_start|>user\nhi<|im_end|>\n",
    "   \n\n\t a  b  ",
    "I'M YOU'RE we'll",
    '{"name": "Anna", "list": [1, 2.5, null]}',
    "e".repeat(3000),
    "สวัสดี مرحبا",
  ])("is counted alike by llama.cpp and by the test tokenizer: %j", (text) => {
    expect([...vocabulary.tokenize(text, true)]).toEqual(bytePairTokenizer(tinyTokenizer()).encode(text));
  });

  it("is refused, not a crash, when it lacks a key that llama.cpp needs", async () => {
    const broken = join(folder, "broken.gguf");
    writeFileSync(
      broken,
      ggufFile(
        {
          "general.architecture": { type: "string", value: "llama" },
          "llama.context_length": { type: "uint32", value: 64 },
          "llama.block_count": { type: "uint32", value: 1 },
          "llama.feed_forward_length": { type: "uint32", value: 8 },
        },
        [],
      ),
    );
    const start = startOllamaServer({ engine: llamaEngine({ modelPath: broken }) });
    await expect(start).rejects.toMatchObject({
      code: "ENGINE_MODEL_UNUSABLE",
      message: expect.stringContaining("llama.attention.head_count is missing"),
    });
    writeFileSync(broken, "not a model");
    await expect(startOllamaServer({ engine: llamaEngine({ modelPath: broken }) })).rejects.toMatchObject({
      code: "ENGINE_MODEL_UNUSABLE",
    });
  });
});

describe.skipIf(!engine)("real inference behind the server", () => {
  let server: OllamaServer;
  beforeAll(async () => {
    server = await startOllamaServer({ engine: llamaEngine(), models: [{ name: "tiny" }] });
  });
  afterAll(() => server?.close());

  it("answers in words, the same ones for the same seed", async () => {
    const options = { num_predict: 20, seed: 5 };
    const first = await ask(server, "hi", { options });
    const second = await ask(server, "hi", { options });
    expect((first.message as { content: string }).content).toMatch(/^( ?[a-z]+)+$/);
    expect(second.message).toEqual(first.message);
    expect(first).toMatchObject({ eval_count: 20, done_reason: "length" });
  });

  it("takes the head of a repeated prompt from the cache", async () => {
    const prompt = words(1500);
    const cold = await ask(server, prompt, { options: { num_predict: 1 } });
    const warm = await ask(server, `${prompt} of`, { options: { num_predict: 1 } });
    expect(warm.prompt_eval_cached_count).toBeGreaterThan(1500);
    expect(warm.prompt_eval_duration).toBeLessThan((cold.prompt_eval_duration as number) / 2);
  });

  it("grows its memory with the window, and cuts what does not fit", async () => {
    await ask(server, "hi", { options: { num_ctx: 2048, num_predict: 1 } });
    const small = (await loaded(server))[0]?.size as number;
    const cut = await ask(server, words(3000), { options: { num_ctx: 1024, num_predict: 1 } });
    expect(cut.prompt_eval_count).toBe(515);
    await ask(server, "hi", { options: { num_ctx: 16_384, num_predict: 1 } });
    const large = (await loaded(server))[0]?.size as number;
    // 4,096 bytes of KV cache a token.
    expect(large - small).toBeGreaterThan(14_336 * 4096 * 0.9);
    expect(large - small).toBeLessThan(14_336 * 4096 * 2);
  });

  it("goes on past the window, or stops there", async () => {
    const options = { num_ctx: 256, num_predict: 400, seed: 1, temperature: 2 };
    const shifted = await ask(server, words(200), { options });
    const facts = server.requests.at(-1)?.facts;
    expect(facts?.shifted).toBe((shifted.eval_count as number) + (shifted.prompt_eval_count as number) > 256);
    const stopped = await ask(server, words(200), { options, shift: false });
    expect((stopped.eval_count as number) + (stopped.prompt_eval_count as number)).toBeLessThanOrEqual(256);
  });

  it("is held to a JSON schema", async () => {
    const format = { type: "object", properties: { kind: { enum: ["a", "b"] } }, required: ["kind"] };
    const reply = await ask(server, "hi", { format, options: { num_predict: 60 } });
    expect(["a", "b"]).toContain(JSON.parse((reply.message as { content: string }).content).kind);
  });

  it("stops when the client leaves", async () => {
    const controller = new AbortController();
    const reply = await fetch(`${server.origin}/api/chat`, {
      method: "POST",
      body: JSON.stringify({
        model: "tiny",
        messages: [{ role: "user", content: "hi" }],
        options: { num_ctx: 16_384, seed: 2, temperature: 2 },
      }),
      signal: controller.signal,
    });
    await reply.body!.getReader().read();
    controller.abort();
    await vi.waitFor(() => expect(server.state()).toMatchObject([{ users: 0 }]), 5000);
    expect((await ask(server, "hi", { options: { num_ctx: 16_384, num_predict: 1 } })).status).toBe(200);
  });

  it("embeds, where the generation does", async () => {
    const { status } = await post(server, "/api/embed", { model: "tiny", input: "hi" });
    expect(status).toBe(501);
    const old = await startOllamaServer({ version: "0.24.0", engine: llamaEngine() });
    const { lines } = await post(old, "/api/embed", { model: "tiny", input: ["hi", "the water"] });
    const [a] = lines[0]!.embeddings as number[][];
    expect(a).toHaveLength(256);
    expect(Math.hypot(...a!)).toBeCloseTo(1, 4);
    await old.close();
  });
});

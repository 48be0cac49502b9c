import { describe, expect, test } from "vitest";
import { json, openAiPair, words } from "./support.js";

const PATH = "/v1/embeddings";

interface List {
  readonly data: readonly { readonly embedding: number[] & string; readonly index: number }[];
  readonly usage: { readonly prompt_tokens: number; readonly total_tokens: number };
}

describe("embeddings", () => {
  test("one text or several, as numbers", async () => {
    await using servers = await openAiPair();
    const { data, usage } = await json<List>(
      await servers.post(PATH, { model: "vectors", input: ["a", "b"] }),
    );
    expect(data.map(({ index }) => index)).toEqual([0, 1]);
    expect(data[0]!.embedding).toHaveLength(256);
    expect(usage.prompt_tokens).toBeGreaterThan(0);
    expect(usage.total_tokens).toBe(usage.prompt_tokens);
    const one = await json<List>(await servers.post(PATH, { model: "vectors", input: "a" }));
    expect(one.data).toEqual([data[0]]);
  });

  test("base64 holds the same numbers as 32-bit floats", async () => {
    await using servers = await openAiPair();
    const call = { model: "vectors", input: "a" };
    const [plain] = (await json<List>(await servers.post(PATH, call))).data;
    const [packed] = (await json<List>(await servers.post(PATH, { ...call, encoding_format: "base64" })))
      .data;
    const bytes = Buffer.from(packed!.embedding, "base64");
    expect(plain!.embedding.map((_, index) => bytes.readFloatLE(index * 4))).toEqual(plain!.embedding);
    expect(bytes).toHaveLength(plain!.embedding.length * 4);
  });

  test("as many dimensions as are asked for", async () => {
    await using servers = await openAiPair();
    const { data } = await json<List>(
      await servers.post(PATH, { model: "vectors", input: "a", dimensions: 8 }),
    );
    expect(data[0]!.embedding).toHaveLength(8);
  });

  test("a text beyond the default window is embedded whole, and the next call does not reload", async () => {
    await using servers = await openAiPair();
    const { usage } = await json<List>(await servers.post(PATH, { model: "vectors", input: words(6_000) }));
    expect(usage.prompt_tokens).toBeGreaterThan(6_000);
    const loads = servers.ollama.loads.length;
    await servers.post(PATH, { model: "vectors", input: "short" });
    expect(servers.ollama.loads).toHaveLength(loads);
  });

  test("a text beyond the model's window is refused, never cut", async () => {
    await using servers = await openAiPair();
    const reply = await servers.post(PATH, { model: "vectors", input: words(10_000) });
    expect(reply.status).toBe(400);
    expect(await json(reply)).toMatchObject({ error: { code: "context_length_exceeded" } });
  });

  test("token ids and empty texts are refused", async () => {
    await using servers = await openAiPair();
    for (const input of [[1, 2], [[1], [2]], "", [], ["a", ""], 5, undefined]) {
      expect((await servers.post(PATH, { model: "vectors", input })).status).toBe(400);
    }
    expect(servers.ollama.requests).toEqual([]);
  });
});

describe("models", () => {
  test("are listed, and found by name with or without a tag", async () => {
    await using servers = await openAiPair(undefined, {
      models: [{ name: "tiny" }, { name: "registry.example/some/one:7b" }],
    });
    const get = async (path: string) => json(await servers.app.request(path));
    const { object, data } = await get("/v1/models");
    expect(object).toBe("list");
    expect(data).toEqual([
      { id: "tiny:latest", object: "model", created: Date.UTC(2026, 0, 1) / 1000, owned_by: "library" },
      expect.objectContaining({ id: "registry.example/some/one:7b", owned_by: "registry.example/some" }),
    ]);
    expect(await get("/v1/models/tiny")).toMatchObject({ id: "tiny", object: "model" });
    for (const path of ["registry.example/some/one:7b", "registry.example%2Fsome%2Fone%3A7b"]) {
      expect(await get(`/v1/models/${path}`)).toMatchObject({ id: "registry.example/some/one:7b" });
    }
  });
});

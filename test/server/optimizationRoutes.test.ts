import { describe, expect, test } from "vitest";
import { bytePairTokenizer, tinyTokenizer } from "../../src/testing/index.js";
import { type Pair, pair, user, words } from "./support.js";

const get = async (servers: Pair, path: string) => {
  const reply = await servers.app.request(path);
  return { status: reply.status, body: (await reply.json()) as Record<string, unknown> };
};
const ask = async (servers: Pair, content: string, model = "tiny") =>
  (await servers.post("/api/chat", { model, messages: user(content), stream: false })).text();

describe("/optimization/decisions", () => {
  test("tells recent decisions, newest first, with their outcome and without a word of the prompt", async () => {
    await using servers = await pair();
    await ask(servers, "secret one");
    await ask(servers, `secret ${words(6_000)}`);
    const { body } = await get(servers, "/optimization/decisions");
    expect(body.decisions).toMatchObject([
      { model: "tiny", error: null, decision: { action: "grow", outcome: { cut: false } } },
      { model: "tiny", error: null, decision: { action: "load", reason: expect.any(String) } },
    ]);
    expect(JSON.stringify(body)).not.toMatch(/secret|promptHash/);
  });

  test("pages follow each other without a gap or a repeat, though new calls come in front", async () => {
    await using servers = await pair();
    for (let call = 0; call < 7; call++) await ask(servers, `call ${call}`);
    const all = (await get(servers, "/optimization/decisions")).body.decisions as { id: string }[];
    const seen: string[] = [];
    let cursor = "";
    do {
      const { body } = await get(servers, `/optimization/decisions?limit=2${cursor}`);
      seen.push(...(body.decisions as { id: string }[]).map(({ id }) => id));
      cursor = body.nextCursor ? `&cursor=${body.nextCursor}` : "";
      await ask(servers, "another");
    } while (cursor !== "");
    expect(seen).toEqual(all.map(({ id }) => id));
  });

  test("a model's own are told when it is named", async () => {
    await using servers = await pair({ models: [{ name: "tiny" }, { name: "other" }] });
    await ask(servers, "hello");
    await ask(servers, "hello", "other");
    const { body } = await get(servers, "/optimization/decisions?model=other");
    expect(body.decisions).toMatchObject([{ model: "other" }]);
  });

  test("what cannot be meant is refused, and the value is not repeated", async () => {
    await using servers = await pair();
    for (const query of ["limit=0", "limit=1.5", "limit=201", "limit=%3Cscript%3E"]) {
      const { status, body } = await get(servers, `/optimization/decisions?${query}`);
      expect(status, query).toBe(400);
      expect(body.error).toMatch(/limit/);
      expect(body.error).not.toMatch(/script/);
    }
    const { status, body } = await get(servers, "/optimization/decisions?cursor=%3Cscript%3E");
    expect(status).toBe(404);
    expect(body.error).not.toMatch(/script/);
  });
});

describe("/optimization/models", () => {
  test("tells what is loaded and what is known of models", async () => {
    await using servers = await pair();
    await ask(servers, words(6_000));
    const { body } = await get(servers, "/optimization/models");
    expect(body).toMatchObject({
      upstream: "reachable",
      loaded: [{ model: "tiny:latest", numCtx: servers.ollama.loads[0]!.numCtx, vramBytes: 0 }],
      profiles: [
        {
          models: ["tiny"],
          trainedNumCtx: 32_768,
          lastOptions: { num_ctx: servers.ollama.loads[0]!.numCtx },
          counts: { calls: 1 },
        },
      ],
    });
  });

  test("still tells what is known while Ollama is away", async () => {
    await using servers = await pair();
    await ask(servers, "hello");
    await servers.ollama.close();
    const { status, body } = await get(servers, "/optimization/models");
    expect(status).toBe(200);
    expect(body).toMatchObject({ upstream: "unreachable", loaded: [], profiles: [{ counts: { calls: 1 } }] });
  });
});

describe("/optimization/templates", () => {
  test("tells templates with their figures, most used first, in pages", async () => {
    await using servers = await pair();
    const task = (name: string, about: string) =>
      `You are asked to ${name} the following text in the style of a newspaper, keep numbers as they are, and say nothing else beside it: ${about}`;
    for (const about of ["apples and pears", "trains in winter", "old letters"])
      await ask(servers, task("summarise", about));
    await ask(servers, `Completely different words stand here: ${words(40)}`);
    const { body } = await get(servers, "/optimization/templates");
    const all = body.templates as { templateId: string; observations: number }[];
    expect(all.length).toBeGreaterThan(1);
    expect(all.map(({ observations }) => observations)).toEqual(
      all.map(({ observations }) => observations).sort((a, b) => b - a),
    );
    expect(all[0]!.observations).toBeGreaterThanOrEqual(3);
    expect(body.total).toBe(all.length);
    const first = (await get(servers, "/optimization/templates?limit=1")).body;
    const rest = (await get(servers, `/optimization/templates?offset=${first.nextOffset}`)).body;
    expect([...(first.templates as unknown[]), ...(rest.templates as unknown[])]).toEqual(all);
    expect(rest.nextOffset).toBeNull();
  });

  test("an order that there is not is refused", async () => {
    await using servers = await pair();
    expect((await get(servers, "/optimization/templates?sort=__proto__")).status).toBe(400);
    expect((await get(servers, "/optimization/templates?sort=updatedAt")).status).toBe(200);
  });
});

describe("/optimization/tokenize", () => {
  const tokenize = async (servers: Pair, body: unknown) => {
    const reply = await servers.post("/optimization/tokenize", body);
    return { status: reply.status, body: (await reply.json()) as Record<string, unknown> };
  };

  test("a text gets the model's own ids, and loads nothing", async () => {
    await using servers = await pair();
    const text = "Hello, world! 12345 äöü 你好";
    const { status, body } = await tokenize(servers, { model: "tiny", text });
    expect(status).toBe(200);
    expect(body).toMatchObject({ model: "tiny", exact: true, source: "exact" });
    expect(body.ids).toEqual(bytePairTokenizer(tinyTokenizer()).encode(text));
    expect(body.count).toBe((body.ids as number[]).length);
    expect(servers.ollama.loads).toEqual([]);
  });

  test("a chat counts as many tokens as Ollama counts for it", async () => {
    await using servers = await pair();
    const messages = user(words(50));
    const reply = await servers.post("/api/chat", { model: "tiny", messages, stream: false });
    const counted = ((await reply.json()) as { prompt_eval_count: number }).prompt_eval_count;
    await expect
      .poll(async () => (await tokenize(servers, { model: "tiny", messages })).body, { timeout: 5_000 })
      .toMatchObject({ count: counted, exact: true });
  });

  test("what cannot be meant is refused; a model that there is not gets Ollama's own words", async () => {
    await using servers = await pair();
    for (const body of [
      "no JSON",
      {},
      { model: "tiny" },
      { model: "tiny", text: 3 },
      { model: "tiny", text: "a", messages: user("b") },
      { model: "tiny", messages: [] },
      { model: "tiny", messages: [{ role: 3 }] },
      { model: "tiny", text: "a", tools: [] },
      { model: "tiny", text: "a", colour: "red" },
      { model: "", text: "a" },
    ]) {
      expect((await tokenize(servers, body)).status, JSON.stringify(body)).toBe(400);
    }
    expect(await tokenize(servers, { model: "absent", text: "a" })).toMatchObject({
      status: 404,
      body: { error: expect.stringMatching(/not found/) },
    });
  });
});

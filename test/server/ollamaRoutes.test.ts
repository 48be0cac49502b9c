import { ChatOllama } from "@langchain/ollama";
import { Ollama } from "ollama";
import { describe, expect, test } from "vitest";
import { type ReceivedRequest, scriptedEngine } from "../../src/testing/index.js";
import { pair, user, words } from "./support.js";

const chats = (requests: readonly ReceivedRequest[]) =>
  requests.filter(
    ({ path, body }) => path === "/api/chat" && !(body as Record<string, unknown>)._debug_render_only,
  );

describe("a decided call", () => {
  test("a prompt beyond the default window is answered whole, with the decision in the headers", async () => {
    await using servers = await pair();
    const reply = await servers.post("/api/chat", {
      model: "tiny",
      messages: user(words(6_000)),
      stream: false,
    });
    expect(reply.status).toBe(200);
    const body = (await reply.json()) as Record<string, unknown>;
    expect(body.prompt_eval_count).toBeGreaterThan(6_000);
    expect(Number(reply.headers.get("x-optimizer-num-ctx"))).toBeGreaterThan(6_000);
    expect(reply.headers.get("x-optimizer-action")).toBe("load");
    expect(Object.keys(body).filter((key) => /optimizer/i.test(key))).toEqual([]);
    expect(chats(servers.ollama.requests).every(({ facts }) => !facts?.cut)).toBe(true);
  });

  test("a client's own window wins, and with override it is decided", async () => {
    for (const override of [false, true]) {
      await using servers = await pair({}, { override });
      const call = {
        model: "tiny",
        messages: user("hello"),
        stream: false,
        options: { num_ctx: 2048, seed: 7 },
      };
      await (await servers.post("/api/chat", call)).text();
      const sent = chats(servers.ollama.requests)[0]!.body as { options: Record<string, number> };
      expect(sent.options.seed).toBe(7);
      expect(sent.options.num_ctx === 2048).toBe(!override);
      expect(servers.ollama.loads[0]!.numCtx === 2048).toBe(!override);
    }
  });

  test("a prompt beyond the trained window is refused and never answered in part; its words reach no log", async () => {
    await using servers = await pair();
    const reply = await servers.post("/api/chat", {
      model: "tiny",
      messages: user(`secret ${words(40_000)}`),
    });
    expect(reply.status).toBe(400);
    expect(await reply.text()).toMatch(/tokens/);
    expect(chats(servers.ollama.requests).filter(({ status }) => status === 200)).toEqual([]);
    expect(servers.warnings.join()).toMatch(/answered 400 \(CONTEXT_/);
    expect(servers.warnings.join()).not.toMatch(/secret/);
  });

  test("what a client is told to do has the names of this server's options", async () => {
    await using servers = await pair();
    for (const options of [{}, { num_ctx: 2_048 }]) {
      const call = { model: "tiny", messages: user(words(40_000)), options };
      const { error } = (await (await servers.post("/api/chat", call)).json()) as { error: string };
      expect(error).toMatch(/--cut/);
      expect(error).not.toMatch(/numCtx|onOverflow/);
    }
  });

  test("an unknown model gets Ollama's own status and words", async () => {
    await using servers = await pair();
    const call = { model: "absent", messages: user("hello") };
    const direct = await fetch(`${servers.ollama.origin}/api/chat`, {
      method: "POST",
      body: JSON.stringify(call),
    });
    const reply = await servers.post("/api/chat", call);
    expect(reply.status).toBe(direct.status);
    expect(await reply.text()).toBe(await direct.text());
  });

  test("what Ollama would refuse is left to Ollama", async () => {
    await using servers = await pair();
    for (const body of [
      "{",
      '{"model":"tiny","messages":"text"}',
      '{"model":"tiny","options":3}',
      '{"model":"tiny","messages":[{"role":"user","content":"x"}],"options":{"num_ctx":"4096"}}',
      '{"model":"tiny","messages":[{"role":"user","content":"x"}],"options":{"num_predict":"2"}}',
      "[]",
      "null",
    ]) {
      const direct = await fetch(`${servers.ollama.origin}/api/chat`, { method: "POST", body });
      const reply = await servers.post("/api/chat", body);
      expect([reply.status, await reply.text()]).toEqual([direct.status, await direct.text()]);
    }
  });

  test("who asks for the prompt alone, as the model would read it, gets it and reloads nothing", async () => {
    await using servers = await pair();
    const loading = { model: "tiny", messages: user("hello"), options: { num_ctx: 8_192 } };
    await (await servers.post("/api/chat", loading)).text();
    const loads = servers.ollama.loads.length;
    for (const stream of [true, false]) {
      const call = { model: "tiny", messages: user("hello"), stream, _debug_render_only: true };
      const reply = await servers.post("/api/chat", call);
      const text = await reply.text();
      expect([reply.status, text]).toEqual([200, expect.stringContaining("rendered_template")]);
      expect(text).not.toContain("error");
    }
    expect(servers.ollama.loads).toHaveLength(loads);
  });

  test("options are read as Ollama reads them: null is left out, a fraction is cut off", async () => {
    await using servers = await pair();
    const ask = async (options: object) => {
      const call = { model: "tiny", messages: user("hello"), options, stream: false };
      const reply = await servers.post("/api/chat", call);
      const { eval_count } = (await reply.json()) as { eval_count: number };
      return [reply.status, reply.headers.get("x-optimizer-num-ctx"), eval_count];
    };
    expect(await ask({ num_ctx: 5_000.9, num_predict: null })).toEqual([200, "5000", 2]);
    expect(await ask({ num_ctx: null, num_predict: 1.9 })).toEqual([200, "5000", 1]);
    const embedded = { model: "tiny", prompt: "", options: { num_ctx: null } };
    expect((await servers.post("/api/generate", embedded)).status).toBe(200);
    expect(servers.ollama.loads).toHaveLength(1);
  });

  test("an error in the middle of a stream becomes an error line", async () => {
    const engine = scriptedEngine({
      reply: { content: "one two three four five", error: { message: "broken", afterTokens: 2 } },
    });
    await using servers = await pair({ engine });
    const lines = (await (await servers.post("/api/chat", { model: "tiny", messages: user("hello") })).text())
      .trim()
      .split("\n");
    expect(lines.length).toBeGreaterThan(1);
    expect(JSON.parse(lines.at(-1)!)).toEqual({ error: expect.stringContaining("broken") });
  });
});

describe("side calls", () => {
  test("a preload and an embedding do not reload a loaded model", async () => {
    await using servers = await pair({
      models: [{ name: "tiny", capabilities: ["completion", "embedding"] }],
    });
    await (
      await servers.post("/api/chat", { model: "tiny", messages: user(words(6_000)), stream: false })
    ).text();
    expect(servers.ollama.loads).toHaveLength(1);
    expect((await servers.post("/api/generate", { model: "tiny" })).status).toBe(200);
    expect((await servers.post("/api/chat", { model: "tiny", messages: [] })).status).toBe(200);
    const embedded = await servers.post("/api/embed", { model: "tiny", input: "hello" });
    expect(((await embedded.json()) as { embeddings: unknown[] }).embeddings).toHaveLength(1);
    expect(servers.ollama.loads).toHaveLength(1);
  });

  test("a call after a preload keeps the window that the preload loaded", async () => {
    await using servers = await pair();
    await (await servers.post("/api/generate", { model: "tiny" })).text();
    await (await servers.post("/api/chat", { model: "tiny", messages: user("hello"), stream: false })).text();
    expect(servers.ollama.loads).toHaveLength(1);
  });
});

describe("other routes", () => {
  test("reading routes come back byte for byte", async () => {
    await using servers = await pair();
    for (const path of ["/", "/api/version", "/api/tags", "/api/ps"]) {
      const direct = await fetch(servers.ollama.origin + path);
      const reply = await servers.app.request(path);
      expect([reply.status, await reply.text()]).toEqual([direct.status, await direct.text()]);
      expect(reply.headers.get("content-type")).toBe(direct.headers.get("content-type"));
    }
  });

  test("routes that change models or are not known are refused, and sent on with allowAdmin", async () => {
    const routes = [
      "POST /api/pull",
      "DELETE /api/delete",
      "POST /api/create",
      "POST /api/me",
      "GET /unknown",
      "PUT /api/tags",
      "POST /api/blobs/sha256:00",
      "POST /API/pull",
      "POST //api/pull",
      "POST /api/show/../pull",
    ];
    await using closed = await pair();
    for (const route of routes) {
      const [method, path] = route.split(" ") as [string, string];
      expect((await closed.app.request(path, { method })).status, route).toBe(403);
    }
    expect(closed.ollama.requests).toHaveLength(0);
    await using open = await pair({}, { allowAdmin: true });
    expect((await open.app.request("/api/pull", { method: "POST", body: "{}" })).status).toBe(404);
    expect(open.ollama.requests.map(({ path }) => path)).toEqual(["/api/pull"]);
    for (const path of ["/v1/none", "/optimization/none", "/metrics/none"]) {
      expect((await open.app.request(path)).status, path).toBe(404);
    }
    expect(open.ollama.requests).toHaveLength(1);
  });
});

describe("clients that others wrote", () => {
  test("the official client chats, streams, lists, embeds and sees errors", async () => {
    await using servers = await pair();
    const client = new Ollama({ host: (await servers.listen()).origin });
    expect((await client.chat({ model: "tiny", messages: user("hello") })).message.content).toBe("ok");
    let text = "";
    for await (const part of await client.generate({ model: "tiny", prompt: "hello", stream: true }))
      text += part.response;
    expect(text).toBe("ok");
    expect((await client.list()).models.map(({ name }) => name)).toContain("tiny:latest");
    expect((await client.embed({ model: "vectors", input: ["a", "b"] })).embeddings).toHaveLength(2);
    await expect(client.chat({ model: "absent", messages: user("hello") })).rejects.toThrow(/not found/);
    await expect(client.delete({ model: "tiny" })).rejects.toThrow(/--allow-admin/);
  });

  test("LangChain's ChatOllama asks through it, and its window is decided", async () => {
    await using servers = await pair();
    const model = new ChatOllama({ baseUrl: (await servers.listen()).origin, model: "tiny" });
    expect((await model.invoke(words(6_000))).content).toBe("ok");
    expect(servers.ollama.loads[0]!.numCtx).toBeGreaterThan(6_000);
  });
});

describe("streams", () => {
  test("the first line arrives before the second is made, and a client that leaves ends the upstream call", async () => {
    let release = (): void => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    async function* chunks() {
      yield "first";
      await held;
      for (;;) yield " more";
    }
    await using servers = await pair({ engine: scriptedEngine({ reply: { chunks: chunks() } }) });
    const controller = new AbortController();
    const reply = await fetch(`${(await servers.listen()).origin}/api/chat`, {
      method: "POST",
      body: JSON.stringify({ model: "tiny", messages: user("hello") }),
      signal: controller.signal,
    });
    const { value } = await reply.body!.getReader().read();
    expect(new TextDecoder().decode(value)).toContain("first");
    controller.abort();
    await expect.poll(() => servers.ollama.state()[0]?.users, { timeout: 3_000 }).toBe(0);
    release();
    const records = [];
    for await (const record of servers.store.requests()) records.push(record.error);
    expect(records).toEqual(["ABORTED"]);
  });
});

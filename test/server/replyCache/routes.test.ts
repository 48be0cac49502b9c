import { ChatOllama } from "@langchain/ollama";
import { Ollama, type Tool } from "ollama";
import OpenAI from "openai";
import { describe, expect, test } from "vitest";
import { nodeTransport, readBody, type Transport } from "../../../src/backend/transport.js";
import { type CacheBackend, memoryBackend, type ReplyCacheOptions } from "../../../src/cache/index.js";
import type { Script } from "../../../src/testing/index.js";
import { calls, openAiPair, WEATHER } from "../openai/support.js";
import { user } from "../support.js";

const COLD = { temperature: 0 };

/** A server with a cache before a scripted Ollama. */
async function cached(reply: Script["reply"], cache: ReplyCacheOptions = {}) {
  const servers = await openAiPair(reply, {}, { cache });
  const asked = () => calls(servers.ollama.requests).length;
  const chat = (body: object = {}) =>
    servers.post("/api/chat", { model: "tiny", messages: user("Why?"), options: COLD, ...body });
  const statistics = async () => (await servers.app.request("/optimization/cache-stats")).json();
  return Object.assign(servers, { asked, chat, statistics });
}

/** Lets replies go when a test says so. */
function valve() {
  let open = (): void => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { open: () => open(), opened };
}

const lines = (text: string) =>
  text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
const saidIn = (text: string): string =>
  lines(text)
    .map(({ message }) => message?.content)
    .join("");

describe("the ollama client", () => {
  test("gets the same reply again without the model: whole or streamed, whichever was first", async () => {
    for (const first of [true, false]) {
      await using servers = await cached({ content: "Light scatters in air." });
      const { origin } = await servers.listen();
      const client = new Ollama({ host: origin });
      const call = { model: "tiny", messages: user("Why?"), options: COLD };
      const streamed = async () => {
        const parts = [];
        for await (const part of await client.chat({ ...call, stream: true })) parts.push(part);
        return parts;
      };
      if (first) await streamed();
      else await client.chat(call);
      const whole = await client.chat(call);
      const parts = await streamed();

      expect(servers.asked()).toBe(1);
      expect(whole.message.content).toBe("Light scatters in air.");
      expect(parts.map(({ message }) => message.content)).toEqual(["Light", " scatters", " in", " air.", ""]);
      expect(parts.map(({ done }) => done)).toEqual([false, false, false, false, true]);
      for (const last of [whole, parts.at(-1)!]) {
        expect(last).toMatchObject({ model: "tiny", done: true, done_reason: "stop" });
        expect([last.prompt_eval_count, last.eval_count, last.total_duration]).toEqual([0, 0, 0]);
      }
    }
  });

  test("gets thoughts and tool calls again", async () => {
    await using servers = await cached({
      thinking: "Well, a city.",
      toolCalls: [
        { name: "weather", arguments: { city: "Paris" } },
        { name: "weather", arguments: { city: "Rome" } },
      ],
    });
    const { origin } = await servers.listen();
    const client = new Ollama({ host: origin });
    const tools = [WEATHER as unknown as Tool];
    const call = { model: "thinker", messages: user("Paris and Rome?"), tools, think: true };
    const said = async () => {
      const parts = [];
      for await (const { message } of await client.chat({ ...call, options: COLD, stream: true })) {
        parts.push(message);
      }
      return {
        thinking: parts.map(({ thinking = "" }) => thinking).join(""),
        calls: parts.flatMap(({ tool_calls = [] }) => tool_calls),
      };
    };
    const fresh = await said();
    expect(await said()).toEqual(fresh);
    expect(fresh.calls).toHaveLength(2);
    expect(servers.asked()).toBe(1);
  });

  test("gets tool calls again that came with nothing but a line break", async () => {
    await using servers = await cached({ content: "\n", toolCalls: [{ name: "weather", arguments: {} }] });
    const hits = [];
    for (let times = 0; times < 2; times++) {
      const reply = await servers.chat({ tools: [WEATHER], stream: false });
      hits.push(reply.headers.get("x-optimizer-cache"));
      const { message } = (await reply.json()) as { message: object };
      expect(message).toMatchObject({ content: "\n", tool_calls: [expect.anything()] });
    }
    expect(hits).toEqual(["miss", "hit"]);
  });

  test("gets completions of /api/generate again", async () => {
    await using servers = await cached({ content: "upon a time" });
    const { origin } = await servers.listen();
    const client = new Ollama({ host: origin });
    const call = { model: "tiny", prompt: "Once", options: COLD };
    const fresh = await client.generate(call);
    const again = await client.generate(call);
    let streamed = "";
    for await (const { response } of await client.generate({ ...call, stream: true })) streamed += response;
    expect([again.response, streamed]).toEqual([fresh.response, fresh.response]);
    expect(again.context).toEqual(fresh.context);
    expect(servers.asked()).toBe(1);
  });

  test("as LangChain's own model hits too", async () => {
    await using servers = await cached({ content: "Blue." });
    const { origin } = await servers.listen();
    const model = new ChatOllama({ model: "tiny", baseUrl: origin, temperature: 0 });
    const replies = [await model.invoke("Colour?"), await model.invoke("Colour?")];
    expect(replies.map(({ text }) => text)).toEqual(["Blue.", "Blue."]);
    expect(replies[1]!.usage_metadata).toMatchObject({ input_tokens: 0, output_tokens: 0 });
    expect(servers.asked()).toBe(1);
  });
});

describe("the openai client", () => {
  async function opened(reply: Script["reply"], cache?: ReplyCacheOptions) {
    const servers = await cached(reply, cache);
    const { origin } = await servers.listen();
    return Object.assign(servers, {
      client: new OpenAI({ baseURL: `${origin}/v1`, apiKey: "unused", maxRetries: 0 }),
    });
  }

  test("gets a completion again, whole or streamed, says so in a header, and uses no tokens", async () => {
    await using servers = await opened({ content: "It is forty two" });
    const { completions } = servers.client.chat;
    const call = { model: "tiny", messages: [{ role: "user" as const, content: "Hi" }], temperature: 0 };
    const fresh = await completions.create(call).withResponse();
    const again = await completions.create(call).withResponse();
    const stream = completions.stream({ ...call, stream_options: { include_usage: true } });
    const whole = await stream.finalChatCompletion();

    expect(fresh.response.headers.get("x-optimizer-cache")).toBe("miss");
    expect(again.response.headers.get("x-optimizer-cache")).toBe("hit");
    expect(fresh.data.usage!.total_tokens).toBeGreaterThan(0);
    expect(again.data.usage!.total_tokens).toBe(0);
    expect((await stream.totalUsage()).total_tokens).toBe(0);
    expect(again.data.id).not.toBe(fresh.data.id);
    for (const { choices } of [again.data, whole]) {
      expect(choices[0]).toMatchObject({ finish_reason: "stop", message: { content: "It is forty two" } });
    }
    expect(servers.asked()).toBe(1);
  });

  test("hits at every step of a loop with tools, whatever the ids of its calls", async () => {
    await using servers = await opened(undefined);
    const loop = async (id: string) => {
      const messages: OpenAI.ChatCompletionMessageParam[] = [
        { role: "user", content: "Paris?" },
        {
          role: "assistant",
          tool_calls: [
            { id, type: "function", function: { name: "weather", arguments: '{"city":"Paris"}' } },
          ],
        },
        { role: "tool", tool_call_id: id, content: "sunny" },
      ];
      return servers.client.chat.completions
        .create({ model: "tiny", messages, tools: [WEATHER], temperature: 0 })
        .withResponse();
    };
    expect((await loop("call_1")).response.headers.get("x-optimizer-cache")).toBe("miss");
    expect((await loop("call_2")).response.headers.get("x-optimizer-cache")).toBe("hit");
  });

  test("gets log probabilities, responses and older completions again", async () => {
    await using servers = await opened({ content: "four words are here" });
    const { client } = servers;
    const chat = { model: "tiny", messages: user("Hi") as [], temperature: 0, logprobs: true };
    const logprobs = async () => (await client.chat.completions.create(chat)).choices[0]!.logprobs;
    expect(await logprobs()).toEqual(await logprobs());
    const respond = { model: "tiny", input: "Hi", temperature: 0 };
    expect((await client.responses.create(respond)).output_text).toBe("four words are here");
    let text = "";
    for await (const event of await client.responses.create({ ...respond, stream: true })) {
      if (event.type === "response.output_text.delta") text += event.delta;
    }
    expect(text).toBe("four words are here");
    const complete = { model: "tiny", prompt: "Hi", temperature: 0 };
    const texts = [await client.completions.create(complete), await client.completions.create(complete)];
    expect(texts[1]!.choices[0]!.text).toBe(texts[0]!.choices[0]!.text);
    expect(servers.asked()).toBe(3);
  });
});

describe("what is not given again", () => {
  test.each([
    ["a reply at a temperature above 0", { options: { temperature: 0.7 } }, 2],
    ["a reply at Ollama's own temperature", { options: {} }, 2],
    ["a reply that was cut by its limit", { options: { ...COLD, num_predict: 1 } }, 2],
    ["a reply to another seed", { options: { ...COLD, seed: 4 } }, 1],
  ])("%s", async (_, body, sent) => {
    await using servers = await cached({ content: "one two three" });
    await (await servers.chat({ stream: false })).text();
    for (let times = 0; times < 2; times++) await (await servers.chat({ ...body, stream: false })).text();
    expect(servers.asked()).toBe(1 + sent);
  });

  test("an empty reply, and one that failed", async () => {
    let times = 0;
    await using servers = await cached(() => {
      times++;
      if (times === 1) return { content: "" };
      if (times === 2) return { content: "a b c", error: { message: "broken", afterTokens: 1 } };
      return { content: "Blue." };
    });
    const said = async () => saidIn(await (await servers.chat()).text());
    expect([await said(), await said(), await said(), await said()]).toEqual(["", "a", "Blue.", "Blue."]);
    expect(times).toBe(3);
  });

  test.each([
    ["model", { model: "thinker" }],
    ["messages", { messages: user("Why not?") }],
    ["format", { format: "json" }],
    ["tools", { tools: [WEATHER] }],
    ["images", { messages: [{ role: "user", content: "Why?", images: ["aGk="] }] }],
    ["window", { options: { ...COLD, num_ctx: 2048 } }],
    ["stop", { options: { ...COLD, stop: ["x"] } }],
  ])("a reply to a call with another %s", async (_, other) => {
    await using servers = await cached({ content: "{}" });
    for (const body of [{}, other]) await (await servers.chat(body)).text();
    expect(servers.asked()).toBe(2);
  });

  test("how long the model stays loaded and which cores it runs on make no other call", async () => {
    await using servers = await cached({ content: "Blue." });
    for (const body of [{}, { keep_alive: "1h", options: { ...COLD, num_thread: 2 } }]) {
      await (await servers.chat(body)).text();
    }
    expect(servers.asked()).toBe(1);
  });

  test("with `sampled`, replies at any temperature are", async () => {
    await using servers = await cached({ content: "Blue." }, { sampled: true });
    for (let times = 0; times < 2; times++) await (await servers.chat({ options: {} })).text();
    expect(servers.asked()).toBe(1);
  });
});

/** A reply whose second word waits for the gate. */
function inTwoPieces(gate: ReturnType<typeof valve>) {
  return {
    chunks: (async function* () {
      yield "one ";
      await gate.opened;
      yield "two";
    })(),
  };
}

describe("equal calls at the same time", () => {
  test("make one call of the model and all get its words as they come", async () => {
    const gate = valve();
    await using servers = await cached(() => inTwoPieces(gate));
    const replies = await Promise.all(Array.from({ length: 5 }, () => servers.chat()));
    const readers = replies.map(({ body }) => body!.pipeThrough(new TextDecoderStream()).getReader());
    for (const reader of readers) {
      expect(JSON.parse((await reader.read()).value!).message.content).toBe("one ");
    }
    gate.open();
    const rests = await Promise.all(
      readers.map(async (reader) => {
        let rest = "";
        for (let next = await reader.read(); !next.done; next = await reader.read()) rest += next.value;
        return lines(rest);
      }),
    );
    expect(rests.map((rest) => rest.map(({ message }) => message.content).join(""))).toEqual(
      Array(5).fill("two"),
    );
    expect(replies.map(({ headers }) => headers.get("x-optimizer-cache")).sort()).toEqual([
      ...Array(4).fill("hit"),
      "miss",
    ]);
    expect(rests.filter((rest) => rest.at(-1).eval_count > 0)).toHaveLength(1);
    expect(servers.asked()).toBe(1);
    expect(await servers.statistics()).toMatchObject({ cache: { hits: 4, misses: 1, size: 1 } });
  });

  test("one that streams and one that does not share it as well", async () => {
    const gate = valve();
    await using servers = await cached(async () => {
      await gate.opened;
      return { content: "one two" };
    });
    const both = [servers.chat({ stream: false }), servers.chat(), servers.chat({ stream: false })];
    await expect.poll(() => servers.asked()).toBe(1);
    gate.open();
    const texts = await Promise.all((await Promise.all(both)).map((reply) => reply.text()));
    const said = texts.map((text) => lines(text).map(({ message }) => message.content));
    expect(said[0]).toEqual(["one two"]);
    expect(said[1]).toEqual(["one", " two", ""]);
    expect(said[2]).toEqual(["one two"]);
    expect(servers.asked()).toBe(1);
  });

  test("go on when the first client leaves", async () => {
    const gate = valve();
    await using servers = await cached(() => inTwoPieces(gate));
    const { origin } = await servers.listen();
    const body = JSON.stringify({ model: "tiny", messages: user("Why?"), options: COLD });
    const leaving = [new AbortController(), new AbortController()];
    const ask = (signal?: AbortSignal) => fetch(`${origin}/api/chat`, { method: "POST", body, signal });
    const first = await ask(leaving[0]!.signal);
    const second = await ask();
    expect([first.headers.get("x-optimizer-cache"), second.headers.get("x-optimizer-cache")]).toEqual([
      "miss",
      "hit",
    ]);
    leaving[0]!.abort();
    await first.text().catch(() => {});
    gate.open();
    expect(saidIn(await second.text())).toBe("one two");
    expect(servers.asked()).toBe(1);
  });

  test("a call that all have left ends at Ollama, and the next one is made anew", async () => {
    let times = 0;
    await using servers = await cached(() => {
      times++;
      return times === 1 ? { content: "one two three", chunkDelayMs: 60_000 } : { content: "Blue." };
    });
    const { origin } = await servers.listen();
    const body = JSON.stringify({ model: "tiny", messages: user("Why?"), options: COLD });
    const leaving = new AbortController();
    const ask = () => fetch(`${origin}/api/chat`, { method: "POST", body, signal: leaving.signal });
    const replies = await Promise.all([ask(), ask()]);
    leaving.abort();
    await Promise.all(replies.map((reply) => reply.text().catch(() => {})));
    await expect.poll(async () => (await servers.snapshot()).running).toEqual([]);
    expect(saidIn(await (await servers.chat()).text())).toBe("Blue.");
    expect((await servers.snapshot()).recent.map(({ status }) => status).sort()).toEqual([200, 499, 499]);
  });

  test("share a refusal", async () => {
    await using servers = await cached({ content: "Blue." });
    const replies = await Promise.all([servers.chat({ model: "absent" }), servers.chat({ model: "absent" })]);
    expect(replies.map(({ status }) => status)).toEqual([404, 404]);
    expect((await servers.chat({ model: "absent" })).status).toBe(404);
  });
});

describe("a model that is made anew under its name", () => {
  /** Its digest is what the test says. */
  function remade(version: () => number): Transport {
    return async (url, init) => {
      const reply = await nodeTransport(url, init);
      if (!url.endsWith("/api/tags")) return reply;
      const text = new TextDecoder().decode(await readBody(reply));
      const digest = `"digest":"${version()}`;
      const body = new TextEncoder().encode(text.replaceAll(/"digest":"./g, digest));
      return {
        ...reply,
        body: (async function* () {
          yield body;
        })(),
      };
    };
  }

  test("by a client of this server has no replies of its former self", async () => {
    let version = 1;
    const options = { cache: {}, allowAdmin: true, transport: remade(() => version) };
    await using servers = await openAiPair(() => ({ content: `I am ${version}.` }), {}, options);
    const { origin } = await servers.listen();
    const say = async () => {
      const body = JSON.stringify({ model: "tiny", messages: user("Who?"), options: COLD });
      return saidIn(await (await fetch(`${origin}/api/chat`, { method: "POST", body })).text());
    };
    expect([await say(), await say()]).toEqual(["I am 1.", "I am 1."]);
    expect(calls(servers.ollama.requests)).toHaveLength(1);
    version = 2;
    await (await fetch(`${origin}/api/create`, { method: "POST", body: '{"model":"tiny"}' })).text();
    expect(await say()).toBe("I am 2.");
  });

  test("by somebody else has none after some seconds", { timeout: 20_000 }, async () => {
    let version = 1;
    const options = { cache: {}, transport: remade(() => version) };
    await using servers = await openAiPair(() => ({ content: `I am ${version}.` }), {}, options);
    const say = async () => {
      const call = { model: "tiny", messages: user("Who?"), options: COLD };
      return saidIn(await (await servers.post("/api/chat", call)).text());
    };
    expect(await say()).toBe("I am 1.");
    version = 2;
    await new Promise((resolve) => setTimeout(resolve, 5_100));
    expect(await say()).toBe("I am 2.");
  });
});

describe("a cache that is broken", () => {
  const away = (): never => {
    throw new Error("away");
  };
  const broken: CacheBackend = { ...memoryBackend(), location: "nowhere", get: away, set: away, size: away };

  test("fails no call", async () => {
    await using servers = await cached({ content: "Blue." }, { backend: broken });
    for (const stream of [true, false]) {
      const reply = await servers.chat({ stream });
      expect([reply.status, reply.headers.get("x-optimizer-cache")]).toEqual([200, "miss"]);
      expect(saidIn(await reply.text())).toBe("Blue.");
    }
    expect(servers.asked()).toBe(2);
    expect(servers.warnings.filter((warning) => /nowhere is not used/.test(warning))).toHaveLength(1);
  });

  test("is passed by where an entry is damaged", async () => {
    const backend = memoryBackend();
    await using servers = await cached({ content: "Blue." }, { backend });
    const reply = await servers.chat();
    await reply.text();
    const key = reply.headers.get("x-optimizer-cache-key")!;
    for (const value of ["{", "null", "{}", '{"done":true}', '{"done":true,"response":3}']) {
      const storedAt = Date.now();
      await backend.set({ key, value, storedAt, expiresAt: null });
      const again = await servers.chat();
      expect(again.headers.get("x-optimizer-cache")).toBe("miss");
      expect(saidIn(await again.text())).toBe("Blue.");
    }
  });
});

describe("what is told of it", () => {
  test("hits are seen as they happen, are counted, and are no model's latency", async () => {
    await using servers = await cached({ content: "Blue." });
    for (let times = 0; times < 3; times++) await (await servers.chat()).text();
    expect(await servers.metric("cache_hits_total")).toBe(2);
    expect(await servers.metric("cache_misses_total")).toBe(1);
    expect(await servers.metric("calls_total", { status: "200" })).toBe(3);
    expect(await servers.metric("call_duration_seconds_count")).toBe(1);
    const { recent } = await servers.snapshot();
    expect(recent.map(({ cached: isCached }) => isCached)).toEqual([true, true, false]);
    const figures = await (await servers.app.request("/optimization/metrics")).json();
    expect(figures).toMatchObject({ calls: 1 });
  });

  test("statistics and report have its figures", async () => {
    await using servers = await cached({ content: "Blue." }, { ttlSeconds: 60, costOf: () => 0.5 });
    for (let times = 0; times < 3; times++) await (await servers.chat()).text();
    expect(await servers.statistics()).toMatchObject({
      enabled: true,
      cache: { size: 1, hits: 2, misses: 1, ttl_seconds: 60 },
      performance_impact: { requests_saved: 2, cost_saved_usd: 1 },
    });
    const report = (await (await servers.app.request("/optimization/report")).json()) as object;
    expect(JSON.stringify(report)).toMatch(/"replies"/);
  });

  test("what it would not keep is told by its reason", async () => {
    await using servers = await cached({ content: "One two three four." });
    for (let times = 0; times < 2; times++) await (await servers.chat({ options: {} })).text();
    await (await servers.chat({ options: { temperature: 0, num_predict: 2 } })).text();
    expect(await servers.statistics()).toMatchObject({
      cache: {
        size: 0,
        hits: 0,
        misses: 1,
        skipped_sampled: 2,
        skipped_cut: 1,
        skipped_empty: 0,
        skipped_other: 0,
      },
    });
  });

  test("without one there is no header and no metric, and nothing is kept", async () => {
    await using servers = await openAiPair({ content: "Blue." });
    const call = { model: "tiny", messages: user("Why?"), options: COLD };
    for (let times = 0; times < 2; times++) {
      const reply = await servers.post("/api/chat", call);
      expect(reply.headers.has("x-optimizer-cache")).toBe(false);
      await reply.text();
    }
    expect(calls(servers.ollama.requests)).toHaveLength(2);
    expect(await (await servers.app.request("/metrics")).text()).not.toContain("cache_hits");
  });
});

describe("invalidation", () => {
  test.each([
    ["one reply by its key", (key: string) => ({ key }), 1],
    ["those of a model", () => ({ pattern: "tiny/*" }), 1],
    ["all", () => ({ all: true }), 2],
  ])("removes %s", async (_, bodyOf, removed) => {
    await using servers = await cached({ content: "Blue." });
    const reply = await servers.chat();
    for (const told of [reply, await servers.chat({ model: "thinker" })]) await told.text();
    const body = bodyOf(reply.headers.get("x-optimizer-cache-key")!);
    const answer = await servers.post("/optimization/cache/invalidate", body);
    expect(await answer.json()).toEqual({ removed });
    expect((await servers.chat()).headers.get("x-optimizer-cache")).toBe("miss");
  });

  test("of a call under way: its reply is neither kept nor given to who asks afterwards", async () => {
    const { open, opened } = valve();
    let said = 0;
    await using servers = await cached(async () => {
      const content = `Number ${++said}.`;
      await opened;
      return { content };
    });
    const asking = servers.chat();
    await expect.poll(servers.asked).toBe(1);
    await servers.post("/optimization/cache/invalidate", { all: true });
    const askingAnew = servers.chat();
    await expect.poll(servers.asked).toBe(2);
    open();
    expect(saidIn(await (await asking).text())).toBe("Number 1.");
    expect(saidIn(await (await askingAnew).text())).toBe("Number 2.");
    expect(saidIn(await (await servers.chat()).text())).toBe("Number 2.");
  });

  test("refuses what does not say what to remove", async () => {
    await using servers = await cached({ content: "Blue." });
    const wrong = [{}, [], { all: false }, { key: "" }, { key: 3 }, { key: "a", all: true }, { model: "a" }];
    for (const body of [...wrong, "", "{"]) {
      expect((await servers.post("/optimization/cache/invalidate", body)).status).toBe(400);
    }
  });
});

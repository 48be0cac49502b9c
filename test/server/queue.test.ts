import { describe, expect, test } from "vitest";
import type { FinishedCall } from "../../src/server/activity.js";
import { scriptedEngine } from "../../src/testing/index.js";
import { eventsOf, type Pair, pair, user } from "./support.js";

/** Replies of 20 tokens, on a model that takes a while to load. */
const replying = (chunkDelayMs: number) =>
  ({
    engine: scriptedEngine({ reply: { content: "word ".repeat(20), chunkDelayMs } }),
    realTime: true,
    loadMs: 250,
  }) as const;
const quick = replying(2);
const slow = replying(25);

const patience = { timeout: 10_000, interval: 10 };
const inUse = ({ ollama }: Pair) => expect.poll(() => ollama.state()[0]?.users, patience).toBe(1);

const asking = (numCtx: number, more: object = {}) => ({
  model: "tiny",
  messages: user("hello"),
  stream: false,
  options: { num_ctx: numCtx },
  ...more,
});

describe("calls that would reload a model in use", () => {
  test("clients with windows of their own do not make it load for each call", async () => {
    await using servers = await pair(quick);
    const client = async (name: string, numCtx: number) => {
      for (let call = 0; call < 10; call++) {
        const reply = await servers.post("/api/chat", asking(numCtx), { "user-agent": name });
        expect(reply.status).toBe(200);
        await reply.text();
      }
    };
    await Promise.all([client("a", 2_048), client("b", 8_192)]);
    // One for each of the 20 calls when they are let through as they come.
    expect(servers.ollama.loads.length).toBeLessThanOrEqual(10);
  });

  test("a full queue answers 503 with Retry-After on both surfaces' engine, and nothing is sent for it", async () => {
    await using servers = await pair(slow, { maxWaiting: 1 });
    const first = servers.post("/api/chat", asking(2_048));
    await inUse(servers);
    const second = servers.post("/api/chat", asking(4_096));
    await expect.poll(async () => (await servers.snapshot()).queue.waiting, patience).toBe(1);
    const refused = await servers.post("/api/chat", asking(8_192));
    expect(refused.status).toBe(503);
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
    expect(await refused.json()).toEqual({ error: expect.stringContaining("wait") });
    expect((await Promise.all([first, second])).map(({ status }) => status)).toEqual([200, 200]);
    expect(servers.ollama.loads.map(({ numCtx }) => numCtx)).toEqual([2_048, 4_096]);
    expect(await servers.metric("errors_total", { code: "QUEUE_FULL" })).toBe(1);
  });

  test("a call that waited too long gets 503", async () => {
    await using servers = await pair(slow, { maxWaitMs: 50 });
    const first = servers.post("/api/chat", asking(2_048));
    await inUse(servers);
    expect((await servers.post("/api/chat", asking(4_096))).status).toBe(503);
    expect((await first).status).toBe(200);
    expect(servers.ollama.loads).toHaveLength(1);
  });

  test("a client that leaves while it waits is dropped, and nothing is sent for it", async () => {
    await using servers = await pair(slow);
    const { origin } = await servers.listen();
    const first = servers.post("/api/chat", asking(2_048));
    await inUse(servers);
    const controller = new AbortController();
    const left = fetch(`${origin}/api/chat`, {
      method: "POST",
      body: JSON.stringify(asking(4_096)),
      signal: controller.signal,
    }).catch(() => null);
    await expect.poll(async () => (await servers.snapshot()).queue.waiting, patience).toBe(1);
    controller.abort();
    await left;
    await expect.poll(async () => (await servers.snapshot()).queue.waiting, patience).toBe(0);
    expect((await first).status).toBe(200);
    expect(servers.ollama.loads).toHaveLength(1);
    const { recent } = await servers.snapshot();
    expect(recent.map(({ status }: FinishedCall) => status).sort()).toEqual([200, 499]);
  });

  test("the wait is no part of the time that deciding took", async () => {
    await using servers = await pair(slow);
    const first = servers.post("/api/chat", asking(2_048));
    await inUse(servers);
    await Promise.all([first, servers.post("/api/chat", asking(4_096))]);
    const [second] = (await servers.snapshot()).recent;
    expect(second!.queuedMs).toBeGreaterThan(200);
    for await (const { decision } of servers.store.requests({ newestFirst: true, limit: 1 })) {
      expect(decision!.id).toBe(second!.decisionId);
      expect(decision!.decideMs).toBeLessThan(second!.queuedMs / 2);
    }
  });

  test("a call too large for a load that has gone out waits for its turn, and others go with that load", async () => {
    await using servers = await pair({ ...replying(60), loadMs: 1_000 });
    const ask = (count: number) =>
      servers.post("/api/chat", { model: "tiny", messages: user("word ".repeat(count)), stream: false });
    const first = ask(10);
    const sent = () => servers.ollama.requests.filter(({ path }) => path === "/api/chat").length;
    await expect.poll(sent, { timeout: 5_000, interval: 5 }).toBe(1);
    const large = ask(6_000);
    await expect.poll(async () => (await servers.snapshot()).queue.waiting, patience).toBe(1);
    const small = ask(50);
    expect((await Promise.all([first, large, small])).map(({ status }) => status)).toEqual([200, 200, 200]);
    const { loads } = servers.ollama;
    expect(loads).toHaveLength(2);
    expect(loads[0]!.numCtx).toBeLessThan(loads[1]!.numCtx);
    const windows = (await servers.snapshot()).recent.map(({ numCtx }) => numCtx);
    expect(windows).toEqual([loads[1]!.numCtx, loads[0]!.numCtx, loads[0]!.numCtx]);
  });

  test("a cold burst still loads once, with its largest need", async () => {
    await using servers = await pair(slow);
    const calls = [10, 3_000, 200, 6_000, 50].map((count) =>
      servers.post("/api/chat", { model: "tiny", messages: user("word ".repeat(count)), stream: false }),
    );
    expect((await Promise.all(calls)).every(({ status }) => status === 200)).toBe(true);
    expect(servers.ollama.loads).toHaveLength(1);
  });
});

describe("the event stream", () => {
  test("begins with a snapshot and tells how a call goes", async () => {
    await using servers = await pair();
    const { origin } = await servers.listen();
    const events = eventsOf(await fetch(`${origin}/optimization/events`));
    expect((await events.next()).value).toMatchObject({
      type: "snapshot",
      running: [],
      recent: [],
      queue: { waiting: 0, limit: 512 },
    });
    await (await servers.post("/api/chat", { model: "tiny", messages: user("hello") })).text();
    const started = (await events.next()).value;
    expect(started).toMatchObject({ type: "started", call: { model: "tiny", path: "/api/chat" } });
    expect((await events.next()).value).toMatchObject({
      type: "changed",
      call: { id: started.call.id, phase: "answering", action: "load" },
    });
    let last = (await events.next()).value;
    while (last.type === "changed") last = (await events.next()).value;
    expect(last).toMatchObject({
      type: "ended",
      call: { id: started.call.id, status: 200, errorCode: null, reloaded: true, reason: expect.any(String) },
    });
    await events.return?.();
  });

  test("holds up no server that ends", async () => {
    await using servers = await pair();
    const listener = await servers.listen();
    const reply = await fetch(`${listener.origin}/optimization/events`);
    const closing = listener.close(20_000);
    const text = await reply.text();
    expect(text).toContain('"type":"snapshot"');
    const began = performance.now();
    await closing;
    expect(performance.now() - began).toBeLessThan(5_000);
  });

  test("ends for a reader that takes nothing, rather than keep everything for it", async () => {
    const { Activity } = await import("../../src/server/activity.js");
    const { eventStream } = await import("../../src/server/eventStream.js");
    const activity = new Activity(() => performance.now(), 1);
    const reader = eventStream(activity, undefined).body!.getReader();
    const long = { model: "x".repeat(100_000), surface: "ollama", path: "/api/chat" } as const;
    for (let call = 0; call < 30; call++) {
      activity.begin(long);
      await new Promise((resolve) => setTimeout(resolve, 60));
    }
    let bytes = 0;
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      bytes += value.byteLength;
    }
    expect(bytes).toBeLessThan(1.5 * 2 ** 20);
  });
});

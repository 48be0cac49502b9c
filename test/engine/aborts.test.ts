import { afterEach, beforeEach, expect, test } from "vitest";
import { nodeTransport, type Transport } from "../../src/backend/transport.js";
import { Engine } from "../../src/engine/engine.js";
import type { EngineCall } from "../../src/engine/types.js";
import type { DecisionRecord } from "../../src/records.js";
import { memoryStore } from "../../src/storage/memory.js";
import { type OllamaServer, scriptedEngine, startOllamaServer } from "../../src/testing/index.js";

let server: OllamaServer;
let engine: Engine;

beforeEach(async () => {
  server = await startOllamaServer({
    models: [{ name: "tiny", trainedNumCtx: 131_072 }],
    engine: scriptedEngine(),
  });
  engine = new Engine({ store: memoryStore() });
});
afterEach(async () => {
  await engine.close();
  await server.close();
});

function call(words: number, more: Partial<EngineCall> = {}): EngineCall {
  return {
    origin: server.origin,
    path: "/api/chat",
    body: { model: "tiny", messages: [{ role: "user", content: "word ".repeat(words) }] },
    optimize: true,
    onOverflow: "error",
    source: "model",
    ...more,
  };
}

async function finish(sent: EngineCall): Promise<DecisionRecord> {
  const reply = await engine.send(sent);
  for await (const _ of reply.chunks);
  return reply.decision();
}

/** Aborts a call when a request for this path goes out. */
function abortedAt(path: string): Pick<EngineCall, "signal" | "transport"> {
  const stop = new AbortController();
  const transport: Transport = (url, init) => {
    if (new URL(url).pathname === path) stop.abort();
    return nodeTransport(url, init);
  };
  return { signal: stop.signal, transport };
}

test("the window of a call that was aborted before it was sent is not loaded for the next one", async () => {
  await expect(finish(call(20_000, abortedAt("/api/show")))).rejects.toMatchObject({ name: "AbortError" });
  expect(await finish(call(5))).toMatchObject({ action: "load", numCtx: 4096, outcome: { reloaded: true } });
});

test("nor of one that failed, though a call was aborted that would have been sent with it", async () => {
  const stop = new AbortController();
  // Counting waits for the tokenizer, and a call that loads for those that are being counted.
  const transport: Transport = async (url, init) => {
    if (String(init?.body).includes("verbose")) await new Promise((resolve) => setTimeout(resolve, 400));
    return nodeTransport(url, init);
  };
  server.failNext({ path: "/api/chat", kind: "serverBusy" });
  const large = finish(call(20_000, { transport }));
  const small = finish(call(5, { transport, signal: stop.signal }));
  setTimeout(() => stop.abort(), 200);
  await expect(small).rejects.toMatchObject({ name: "AbortError" });
  await expect(large).rejects.toMatchObject({ code: "SERVER_BUSY" });
  expect(await finish(call(5))).toMatchObject({ action: "load", numCtx: 4096 });
});

test("a growth that was aborted leaves nothing loaded, and that is no other program's doing", async () => {
  for (let warm = 0; warm < 3; warm++) await finish(call(5));
  await expect(finish(call(20_000, abortedAt("/api/chat")))).rejects.toMatchObject({ name: "AbortError" });
  // As Ollama does: the smaller runner has left for the larger one, whose load ended with the call.
  const unload = JSON.stringify({ model: "tiny", keep_alive: 0 });
  await fetch(`${server.origin}/api/generate`, { method: "POST", body: unload });
  expect(await finish(call(5))).toMatchObject({ action: "load", outcome: { reloaded: true } });
  const [profile] = engine.options.store.list("profiles");
  expect(profile!.counts).toMatchObject({ reloads: 2, foreignReloads: 0 });
  expect(profile!.counts.evictions ?? 0).toBe(0);
});

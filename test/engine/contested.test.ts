import { expect, test } from "vitest";
import { nodeTransport, type Transport, type WireReply } from "../../src/backend/transport.js";
import { Engine } from "../../src/engine/engine.js";
import type { EngineCall } from "../../src/engine/types.js";
import { memoryStore } from "../../src/storage/memory.js";
import { scriptedEngine, startOllamaServer } from "../../src/testing/index.js";

const messages = [{ role: "user", content: "hello" }];
const listed = (...names: string[]): WireReply => ({
  status: 200,
  headers: {},
  body: (async function* () {
    const models = names.map((name) => ({ name, model: name, digest: name, size: 1, size_vram: 0 }));
    yield Buffer.from(JSON.stringify({ models }));
  })(),
});

test("while another program's load is waited for, a server that stops answering holds no call up for ever", async () => {
  const server = await startOllamaServer({
    models: [{ name: "tiny", trainedNumCtx: 32_768, loadMs: 4_000 }],
    engine: scriptedEngine(),
  });
  const engine = new Engine({ store: memoryStore() });
  const finish = async (transport?: Transport) => {
    const body = { model: "tiny", messages };
    const call: EngineCall = {
      origin: server.origin,
      path: "/api/chat",
      body,
      optimize: true,
      onOverflow: "error",
      source: "model",
      transport,
    };
    const reply = await engine.send(call);
    for await (const _ of reply.chunks);
    return reply.decision();
  };
  await finish();
  await finish();
  // Another program loads its own window between the decision and the call.
  const overtaken = await finish(async (url, init) => {
    if (url.endsWith("/api/chat")) {
      const body = JSON.stringify({ model: "tiny", messages, options: { num_ctx: 2_048 } });
      await fetch(url, { method: "POST", body }).then((reply) => reply.text());
    }
    return nodeTransport(url, init);
  });
  expect(overtaken).toMatchObject({ action: "keep", outcome: { reloaded: true } });
  let looks = 0;
  const late = new Promise((resolve) => setTimeout(resolve, 6_000, "late"));
  const call = finish((url, init) => {
    if (url.endsWith("/api/ps")) return Promise.resolve(looks++ === 0 ? listed() : listed("unknown"));
    return url.endsWith("/api/show") ? new Promise(() => {}) : nodeTransport(url, init);
  });
  expect(await Promise.race([call, late])).toMatchObject({ action: "load" });
  expect(looks).toBe(2);
  await engine.close();
  await server.close();
});

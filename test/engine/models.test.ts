import { afterEach, beforeEach, expect, test } from "vitest";
import { nodeTransport, type Transport } from "../../src/backend/transport.js";
import { Engine } from "../../src/engine/engine.js";
import type { DecisionRecord } from "../../src/records.js";
import { memoryStore } from "../../src/storage/memory.js";
import { type OllamaServer, scriptedEngine, startOllamaServer } from "../../src/testing/index.js";

let server: OllamaServer;
let engine: Engine;

beforeEach(async () => {
  server = await startOllamaServer({
    models: [{ name: "large" }, { name: "small", trainedNumCtx: 8192 }],
    engine: scriptedEngine(),
  });
  engine = new Engine({ store: memoryStore() });
});
afterEach(async () => {
  await engine.close();
  await server.close();
});

async function ask(model: string, words: number, transport: Transport): Promise<DecisionRecord> {
  const reply = await engine.send({
    origin: server.origin,
    path: "/api/chat",
    body: { model, messages: [{ role: "user", content: "word ".repeat(words) }] },
    optimize: true,
    onOverflow: "error",
    source: "model",
    transport,
  });
  for await (const _ of reply.chunks);
  return reply.decision();
}

/** Changes what the server tells. */
const changing =
  (change: (path: string, body: string) => string): Transport =>
  async (url, init) => {
    const reply = await nodeTransport(url, init);
    const { pathname } = new URL(url);
    if (pathname === "/api/chat") return reply;
    const parts: Uint8Array[] = [];
    for await (const part of reply.body) parts.push(part);
    const body = [Buffer.from(change(pathname, Buffer.concat(parts).toString()))];
    return { ...reply, body: body as never };
  };

test("models whose weights the server does not name have a window each", async () => {
  const transport = changing((path, body) =>
    path === "/api/show" ? JSON.stringify({ ...JSON.parse(body), modelfile: "FROM elsewhere" }) : body,
  );
  expect(await ask("large", 9_000, transport)).toMatchObject({ action: "load" });
  expect(await ask("small", 5, transport)).toMatchObject({ action: "load", numCtx: 4096 });
  expect(await ask("large", 5, transport)).toMatchObject({ action: "keep", outcome: { reloaded: false } });
});

test("a model that was made anew is decided by what it is now, with its first call", async () => {
  const { models } = (await (await fetch(`${server.origin}/api/tags`)).json()) as {
    models: { name: string; digest: string }[];
  };
  const { digest } = models.find(({ name }) => name === "large:latest")!;
  let isNew = false;
  const anew = changing((path, body) => {
    if (!isNew) return body;
    return path === "/api/show"
      ? body.replace(/sha256-[0-9a-f]{64}/, `sha256-${"f".repeat(64)}`)
      : body.replaceAll(digest, "e".repeat(64));
  });
  await ask("large", 5, anew);
  isNew = true;
  // What is loaded is looked at again after a pause.
  await new Promise((resolve) => setTimeout(resolve, 2_100));
  expect((await ask("large", 5, anew)).slot).toBe("f".repeat(64));
});

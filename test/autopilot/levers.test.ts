import { HumanMessage } from "@langchain/core/messages";
import { expect, test } from "vitest";
import { type Dial, Gate, leversOf } from "../../src/autopilot/index.js";
import { EntryCache } from "../../src/cache/index.js";
import { OptimizedChatOllama } from "../../src/index.js";
import { memoryStore } from "../../src/storage/memory.js";
import { startOllamaServer } from "../../src/testing/index.js";

const WORDS = "word ".repeat(50);

/** A model that was called once, and the dials of its slot. */
async function called() {
  const ollama = await startOllamaServer({ models: [{ name: "tiny", trainedNumCtx: 32_768 }] });
  const store = memoryStore();
  const fields = { model: "tiny", baseUrl: ollama.origin, store };
  const model = new OptimizedChatOllama(fields);
  const call = () => model.invoke([new HumanMessage(WORDS)]);
  await call();
  const dial = (kind: Dial["kind"]) => leversOf({ store }).dials!().find((each) => each.kind === kind)!;
  return {
    ollama,
    store,
    call,
    dial,
    sent: () => ollama.requests.filter(({ path }) => path === "/api/chat").at(-1)?.body,
    [Symbol.asyncDispose]: async () => {
      await store.close();
      await ollama.close();
    },
  };
}

test("a keep-alive that is set goes with the next call of the model, and goes again when it is taken back", async () => {
  await using program = await called();
  const keepAlive = program.dial("keepAlive");
  expect(keepAlive.natural?.()).toBe(300);
  await keepAlive.set(1_200);
  await program.call();
  expect(program.sent()).toMatchObject({ keep_alive: 1_200 });
  await keepAlive.set(null);
  await program.call();

  expect(program.sent()).not.toHaveProperty("keep_alive");
});

test("dials of one slot leave each other alone", async () => {
  await using program = await called();
  await program.dial("window").set(8_192);
  await program.dial("batch").set(128);

  expect(program.dial("window").read()).toBe(8_192);
  expect(program.dial("batch").read()).toBe(128);
  expect(program.dial("keepAlive").read()).toBeNull();
});

test("a call does not undo what was set", async () => {
  await using program = await called();
  await program.dial("batch").set(128);
  await program.call();

  expect(program.dial("batch").read()).toBe(128);
});

test("a cache's time to live is set for what it stores from then on, and taken back", async () => {
  let now = 0;
  const cache = new EntryCache({ ttlSeconds: 60, now: () => now });
  const levers = leversOf({ cache, ttlSeconds: 60 });
  const [ttl] = levers.dials!();
  await ttl!.set(120);
  await cache.set("long", "1");
  await ttl!.set(null);
  await cache.set("short", "1");
  now = 60_000;

  expect(ttl!.natural?.()).toBe(60);
  expect(await levers.release!()).toBe("1 expired replies left the cache");
  expect(await cache.get("long")).toBeDefined();
  expect(await levers.cacheCounts!()).toMatchObject({ hits: 1, misses: 0, size: 1 });
});

test("a gate is limited from what it has seen at most", async () => {
  const gate = new Gate();
  const [concurrency] = leversOf({ gate }).dials!();
  await Promise.all([1, 2, 3].map(() => gate.run(() => new Promise((resolve) => setImmediate(resolve)))));

  expect(concurrency!.read()).toBeNull();
  expect(concurrency!.natural?.()).toBe(3);
  await concurrency!.set(2);
  expect(gate.limit).toBe(2);
});

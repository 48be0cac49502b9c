/** Two programs with one store, each with its own engine. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Engine } from "../../src/engine/engine.js";
import type { EngineCall } from "../../src/engine/types.js";
import type { DecisionRecord } from "../../src/records.js";
import { openJsonStore } from "../../src/storage/json/openJsonStore.js";
import type { OptimizerStore } from "../../src/storage/store.js";
import { type OllamaServer, scriptedEngine, startOllamaServer } from "../../src/testing/index.js";
import { temporaryFolders } from "../storage/temporaryFolder.js";

const folders = temporaryFolders();
let server: OllamaServer;
let programs: { readonly store: OptimizerStore; readonly engine: Engine }[];

beforeEach(async () => {
  server = await startOllamaServer({
    models: [{ name: "tiny", trainedNumCtx: 131_072 }],
    engine: scriptedEngine(),
  });
  const folder = await folders.make();
  programs = [1, 2].map(() => {
    const store = openJsonStore(folder, { pollMs: 50 });
    return { store, engine: new Engine({ store }) };
  });
});
afterEach(async () => {
  for (const { engine, store } of programs) {
    await engine.close();
    await store.close();
  }
  await server.close();
});

async function ask(
  program: number,
  words: number,
  options: EngineCall["body"]["options"] = {},
): Promise<DecisionRecord> {
  const reply = await programs[program]!.engine.send({
    origin: server.origin,
    path: "/api/chat",
    body: { model: "tiny", messages: [{ role: "user", content: "word ".repeat(words) }], options },
    optimize: true,
    onOverflow: "error",
    source: "model",
  });
  for await (const _ of reply.chunks);
  return reply.decision();
}
/** Each program knows what the other knows. */
async function seen(): Promise<void> {
  await Promise.all(programs.map(({ store }) => store.flush()));
  const [one, other] = programs.map(({ store }) => store);
  await vi.waitFor(() => expect([...one!.list("profiles")]).toEqual([...other!.list("profiles")]), 10_000);
}

test("a window that ran out of memory is not tried again by the other, which was busy meanwhile", async () => {
  await ask(0, 5);
  await ask(1, 5);
  await seen();
  server.failNext({ kind: "outOfMemory" });
  const { numCtx, outcome } = await ask(0, 9_000);
  expect(outcome).toMatchObject({ retries: 1 });
  // Of two changes the later one holds; on a slow disk the other's could be written first.
  await programs[0]!.store.flush();
  // A reply of the other before it heard of that.
  await ask(1, 5);
  await seen();
  const [profile] = programs[1]!.store.list("profiles");
  expect(profile?.ceilings).toHaveLength(1);
  expect(numCtx).toBeLessThan(profile!.ceilings[0]!.numCtx);
});

test("a window that one program loaded with another batch is used with that batch by the other", async () => {
  await ask(0, 5);
  await ask(1, 5);
  // Both have learned the template, with the options that they know.
  await new Promise((resolve) => setTimeout(resolve, 300));
  await ask(0, 5, { num_batch: 128 });
  await seen();
  const before = server.loads.length;
  for (let round = 0; round < 3; round++) {
    await ask(1, 5);
    await ask(0, 5);
    await new Promise((resolve) => setTimeout(resolve, 60));
  }
  expect(server.loads.slice(before)).toEqual([]);
});

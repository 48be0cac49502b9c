import { afterEach, describe, expect, test } from "vitest";
import type { WireRequest } from "../../src/backend/wire.js";
import { Engine } from "../../src/engine/engine.js";
import type { DecisionOutcome } from "../../src/records.js";
import { memoryStore } from "../../src/storage/memory.js";
import {
  type OllamaServer,
  type OllamaServerOptions,
  scriptedEngine,
  startOllamaServer,
} from "../../src/testing/index.js";

let server: OllamaServer | undefined;
let engine: Engine | undefined;
afterEach(async () => {
  await engine?.close();
  await server?.close();
});

async function outcomes(
  bodies: readonly Partial<WireRequest>[],
  options: OllamaServerOptions = {},
  prepare: (server: OllamaServer) => void = () => {},
): Promise<(DecisionOutcome | undefined)[]> {
  server = await startOllamaServer({
    models: [{ name: "tiny", trainedNumCtx: 131_072 }],
    engine: scriptedEngine(),
    ...options,
  });
  prepare(server);
  const store = memoryStore();
  engine = new Engine({ store });
  const seen: (DecisionOutcome | undefined)[] = [];
  for (const body of bodies) {
    const reply = await engine.send({
      origin: server.origin,
      path: "/api/chat",
      body: { model: "tiny", messages: [], ...body },
      optimize: false,
      onOverflow: "error",
      source: "model",
    });
    for await (const _ of reply.chunks) {
      // Only what is said of it in the end is looked at.
    }
    expect((await reply.recorded).decision).toEqual(reply.decision());
    seen.push(reply.decision().outcome);
  }
  return seen;
}

const user = (words: number) => ({ role: "user", content: "word ".repeat(words) });
const prompt = (words: number): Partial<WireRequest> => ({ messages: [user(words)] });
const cuts = (of: readonly (DecisionOutcome | undefined)[]) => of.map((outcome) => outcome?.cut);

describe("a call that is sent as it is written", () => {
  for (const version of ["0.24.0", "0.34.0"]) {
    test(`says whether its prompt was cut by the server's default window (${version})`, async () => {
      const of = await outcomes([prompt(3), prompt(3_000), prompt(9_000), prompt(4_500)], { version });
      expect(cuts(of)).toEqual([false, false, true, true]);
    });

    test(`says whether it was cut by a window of its own (${version})`, async () => {
      const options = { num_ctx: 512 };
      const of = await outcomes(
        [prompt(300), prompt(3_000)].map((body) => ({ ...body, options })),
        {
          version,
        },
      );
      expect(cuts(of)).toEqual([false, true]);
    });

    test(`knows that a larger window than the trained one is not what it gets (${version})`, async () => {
      const of = await outcomes([{ ...prompt(3_000), options: { num_ctx: 8_192 } }], {
        version,
        models: [{ name: "tiny", trainedNumCtx: 2_048 }],
      });
      expect(cuts(of)).toEqual([true]);
    });

    test(`notices that whole messages were dropped (${version})`, async () => {
      const messages = [user(3_000), user(3_000), user(3_000), user(100)];
      expect(cuts(await outcomes([{ messages }], { version }))).toEqual([true]);
    });
  }

  test("says that it does not know, where the server does not tell its window", async () => {
    const of = await outcomes([prompt(3_000)], {}, (server) =>
      server.failNext({ path: "/api/ps", status: 500, times: 99 }),
    );
    expect(cuts(of)).toEqual([null]);
  });

  test("does not claim that nothing was loaded for it", async () => {
    const [first] = await outcomes([prompt(3)]);
    expect(first).toMatchObject({ reloaded: null, shifted: false, retries: 0, error: null });
  });
});

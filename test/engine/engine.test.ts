import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { nodeTransport, type Transport } from "../../src/backend/transport.js";
import type { WireRequest } from "../../src/backend/wire.js";
import { Engine } from "../../src/engine/engine.js";
import type { EngineCall } from "../../src/engine/types.js";
import type { DecisionRecord, RequestRecord } from "../../src/records.js";
import { memoryStore } from "../../src/storage/memory.js";
import type { OptimizerStore } from "../../src/storage/store.js";
import {
  type OllamaServer,
  type OllamaServerOptions,
  scriptedEngine,
  startOllamaServer,
} from "../../src/testing/index.js";

let server: OllamaServer;
let store: OptimizerStore;
let engine: Engine;
let warnings: string[];

async function start(options: OllamaServerOptions = {}): Promise<void> {
  server = await startOllamaServer({
    models: [{ name: "tiny", trainedNumCtx: 32_768 }],
    engine: scriptedEngine(),
    ...options,
  });
  warnings = [];
  store = memoryStore();
  engine = new Engine({ store, logger: { warn: (text) => warnings.push(text) } });
}

beforeEach(async () => start());
afterEach(async () => {
  await engine.close();
  await server.close();
});

const words = (count: number): string => "word ".repeat(count);

function call(body: Partial<WireRequest> = {}, more: Partial<EngineCall> = {}): EngineCall {
  return {
    origin: server.origin,
    path: "/api/chat",
    body: { model: "tiny", messages: [{ role: "user", content: "hello" }], ...body },
    optimize: true,
    onOverflow: "error",
    source: "model",
    ...more,
  };
}

const prompt = (count: number): Partial<WireRequest> => ({
  messages: [{ role: "user", content: words(count) }],
});

async function finish(
  sent: EngineCall,
): Promise<{ text: string; decision: DecisionRecord; record: RequestRecord }> {
  const reply = await engine.send(sent);
  let text = "";
  for await (const { data } of reply.chunks) text += data.message?.content ?? data.response ?? "";
  return { text, decision: reply.decision(), record: await reply.recorded };
}

const generating = () =>
  server.requests.filter(({ path, body }) => /chat|generate/.test(path) && !isProbe(body));
const isProbe = (body: unknown) =>
  (body as { _debug_render_only?: boolean } | undefined)?._debug_render_only === true;
async function foreignCall(numCtx: number): Promise<void> {
  const messages = [{ role: "user", content: "hello" }];
  const body = { model: "tiny", messages, stream: false, options: { num_ctx: numCtx } };
  await fetch(`${server.origin}/api/chat`, { method: "POST", body: JSON.stringify(body) });
}
const idle = (milliseconds = 250) => new Promise((resolve) => setTimeout(resolve, milliseconds));

describe("windows", () => {
  test("a window that covers the call is kept, and only a need beyond it reloads", async () => {
    const decisions = [];
    for (const count of [5, 50, 500, 6_000, 50, 500]) {
      decisions.push((await finish(call(prompt(count)))).decision);
      await idle();
    }
    expect(decisions.map(({ action }) => action)).toEqual(["load", "keep", "keep", "grow", "keep", "keep"]);
    expect(server.loads).toHaveLength(2);
    expect(decisions.map(({ outcome }) => outcome?.reloaded)).toEqual([
      true,
      false,
      false,
      true,
      false,
      false,
    ]);
  });

  test("the window of another client is used as it is when it covers the call", async () => {
    const body = { model: "tiny", messages: [{ role: "user", content: "hi" }], options: { num_ctx: 10_000 } };
    await fetch(`${server.origin}/api/chat`, { method: "POST", body: JSON.stringify(body) }).then((r) =>
      r.text(),
    );
    const { decision } = await finish(call(prompt(100)));
    expect([decision.action, decision.numCtx]).toEqual(["keep", 10_000]);
    expect(server.loads).toHaveLength(1);
  });

  test("a cold burst loads once, with its largest need", async () => {
    await Promise.all([100, 3_000, 9_000, 200, 7_000].map((count) => finish(call(prompt(count)))));
    expect(server.loads).toHaveLength(1);
    expect(server.loads[0]?.numCtx).toBeGreaterThan(9_000);
  });

  test("a reply that is read late does not bring back the window that was loaded when it came", async () => {
    await finish(call());
    const late = await engine.send(call());
    const { decision: grown } = await finish(call(prompt(9_000)));
    await finish(call());
    for await (const _ of late.chunks);
    const { decision } = await finish(call());
    expect([decision.action, decision.numCtx]).toEqual(["keep", grown.numCtx]);
    expect(server.loads).toHaveLength(2);
  });

  test("an explicit window wins, and the reply has what is left of it", async () => {
    const { decision } = await finish(call({ ...prompt(50), options: { num_ctx: 2_000, temperature: 0 } }));
    expect(server.loads[0]?.numCtx).toBe(2_000);
    expect(decision.numCtx).toBe(2_000);
    expect(decision.numPredict).toBeLessThan(2_000);
    expect(generating()[0]?.body).toMatchObject({
      options: { num_ctx: 2_000, temperature: 0 },
      truncate: false,
    });
  });

  test("probes of the chat template never reload, and make the next count exact", async () => {
    await finish(call({ ...prompt(5), options: { num_batch: 128 } }));
    await idle(400);
    expect(server.requests.some(({ body }) => isProbe(body))).toBe(true);
    await finish(call(prompt(1_000)));
    await idle(200);
    const { decision, record } = await finish(call(prompt(1_010)));
    expect(decision.countSource).toBe("exact");
    expect(decision.promptTokens).toBe(record.promptTokens);
    expect(server.loads).toHaveLength(1);
  });
});

describe("refusals", () => {
  for (const version of ["0.24.0", "0.34.0"]) {
    test(`a prompt that the server refuses for its length is sent once more, larger (${version})`, async () => {
      await engine.close();
      await server.close();
      // Coarse tokens and no vocabulary: the count is an estimate, here far too low.
      await start({ version, models: [{ name: "tiny", bytesPerToken: 1, trainedNumCtx: 65_536 }] });
      await finish(call());
      await idle();
      const { decision, text } = await finish(
        call({ messages: [{ role: "user", content: "a".repeat(3_000) + words(6_000) }] }),
      );
      expect(text).toBe("ok");
      expect(decision.outcome).toMatchObject({ cut: false, error: null });
      expect(decision.numCtx).toBeGreaterThan(33_000);
    });
  }

  test("a prompt beyond the trained window is an overflow with its numbers, and nothing is sent", async () => {
    for (let learning = 0; learning < 2; learning++) {
      await finish(call());
      await idle();
    }
    const sent = generating().length;
    await expect(finish(call(prompt(40_000)))).rejects.toMatchObject({
      code: "CONTEXT_OVERFLOW",
      limit: "trained",
      limitTokens: 32_768,
    });
    expect(generating()).toHaveLength(sent);
  });

  test("with cut the server may cut, and the record says so", async () => {
    await finish(call());
    await idle();
    const { decision } = await finish(call(prompt(40_000), { onOverflow: "cut" }));
    expect(decision.outcome?.cut).toBe(true);
    expect(generating().at(-1)?.body).not.toHaveProperty("truncate");
  });

  test("with cut a prompt that fits no window says before its turn that it will load", async () => {
    for (let learning = 0; learning < 2; learning++) {
      await finish(call());
      await idle();
    }
    const asked: boolean[] = [];
    const admit: EngineCall["admit"] = ({ wouldReload }) => {
      asked.push(wouldReload());
      return null;
    };
    await expect(finish(call(prompt(40_000), { admit }))).rejects.toMatchObject({ code: "CONTEXT_OVERFLOW" });
    const before = server.loads.length;
    await finish(call(prompt(40_000), { admit, onOverflow: "cut" }));
    // A refused one loads nothing.
    expect(asked).toEqual([false, true]);
    expect(server.loads.slice(before).map(({ numCtx }) => numCtx)).toEqual([32_768]);
  });

  test("with cut a prompt that fits no window is loaded for once, together with those that came with it", async () => {
    for (let learning = 0; learning < 2; learning++) {
      await finish(call());
      await idle();
    }
    const before = server.loads.length;
    const calls = [40_000, 6_000, 5].map((count) => finish(call(prompt(count), { onOverflow: "cut" })));
    await Promise.all(calls);
    expect(server.loads.slice(before).map(({ numCtx }) => numCtx)).toEqual([32_768]);
  });

  test("a load without memory is tried once more with a smaller window, and the ceiling is remembered", async () => {
    await finish(call());
    await idle();
    server.failNext({ kind: "outOfMemory" });
    const { decision } = await finish(call(prompt(9_000)));
    expect(decision.outcome).toMatchObject({ retries: 1, error: null });
    const [profile] = [...store.list("profiles")];
    expect(profile?.ceilings).toHaveLength(1);
    expect(decision.numCtx).toBeLessThan(profile!.ceilings[0]!.numCtx);
  });

  test("with cut the smaller window is loaded for once too, together with what comes meanwhile", async () => {
    for (let learning = 0; learning < 2; learning++) {
      await finish(call());
      await idle();
    }
    server.failNext({ kind: "outOfMemory" });
    let sent = 0;
    let short: Promise<{ decision: DecisionRecord }> | undefined;
    const transport: Transport = async (url, init) => {
      if (url.endsWith("/api/chat") && ++sent === 2) {
        short = finish(call());
        await idle();
      }
      return nodeTransport(url, init);
    };
    const { decision } = await finish(call(prompt(40_000), { onOverflow: "cut", transport }));
    expect(decision.outcome).toMatchObject({ retries: 1, error: null });
    expect((await short)?.decision.numCtx).toBe(decision.numCtx);
  });

  test("errors are typed and say what to do", async () => {
    await expect(finish(call({ model: "absent" }))).rejects.toMatchObject({
      code: "MODEL_NOT_FOUND",
      status: 404,
    });
    server.failNext({ path: "/api/chat", kind: "serverBusy" });
    await expect(finish(call())).rejects.toMatchObject({ code: "SERVER_BUSY", status: 503 });
    server.failNext({ path: "/api/chat", kind: "crash" });
    await expect(finish(call())).rejects.toMatchObject({ code: "RUNNER_CRASHED" });
    await expect(finish(call({}, { origin: "http://127.0.0.1:9" }))).rejects.toMatchObject({
      code: "SERVER_UNREACHABLE",
    });
  });

  test.each([0, -1, 1.5, Number.NaN, null, "4096"])(
    "num_ctx %s is refused before anything is sent",
    async (num_ctx) => {
      await expect(finish(call({ options: { num_ctx } }))).rejects.toMatchObject({ code: "OPTION_INVALID" });
      expect(generating()).toHaveLength(0);
    },
  );
});

describe("replies", () => {
  test.each(["noFinalRecord", "emptyNotDone", "dropConnection", "invalidJson"] as const)(
    "a reply that ends by %s is an error, never an answer",
    async (kind) => {
      server.failNext({ kind });
      const reply = finish(call());
      await expect(reply).rejects.toMatchObject({ code: "REPLY_INCOMPLETE" });
    },
  );

  test("an error in the middle of a reply is an error, recorded by its code alone", async () => {
    server.failNext({ kind: "midStreamError", message: "the secret prompt" });
    await expect(finish(call())).rejects.toMatchObject({ code: "SERVER_ERROR" });
    const records = [];
    for await (const record of store.requests()) records.push(record);
    expect(records[0]).toMatchObject({ error: "SERVER_ERROR" });
    expect(JSON.stringify(records)).not.toContain("secret");
  });

  test("an abort reaches the socket of this call only", async () => {
    await engine.close();
    await server.close();
    await start({
      realTime: true,
      loadMs: 1,
      engine: scriptedEngine({ reply: { outputTokens: 200, chunkDelayMs: 10 } }),
    });
    const stop = new AbortController();
    const aborted = finish(call({}, { signal: stop.signal }));
    const sibling = finish(call({ ...prompt(3), options: { num_predict: 40 } }));
    setTimeout(() => stop.abort(), 150);
    await expect(aborted).rejects.toMatchObject({ name: "AbortError" });
    expect((await sibling).decision.outcome?.error).toBeNull();
    await idle(100);
    expect(generating().filter(({ aborted }) => aborted)).toHaveLength(1);
  });

  test("leaving a reply early stops the server", async () => {
    await engine.close();
    await server.close();
    await start({
      realTime: true,
      loadMs: 1,
      engine: scriptedEngine({ reply: { outputTokens: 500, chunkDelayMs: 10 } }),
    });
    const reply = await engine.send(call());
    for await (const _ of reply.chunks) break;
    expect((await reply.recorded).error).toBe("ABORTED");
    await idle(150);
    expect(generating()[0]?.aborted?.outputTokens).toBeLessThan(100);
  });

  test("a call that is aborted while its reader holds a chunk is recorded", async () => {
    await engine.close();
    await server.close();
    await start({
      realTime: true,
      loadMs: 1,
      engine: scriptedEngine({ reply: { outputTokens: 500, chunkDelayMs: 10 } }),
    });
    const stop = new AbortController();
    const reply = await engine.send(call({}, { signal: stop.signal }));
    await reply.chunks[Symbol.asyncIterator]().next();
    stop.abort();
    expect((await reply.recorded).error).toBe("ABORTED");
  });

  test("a call that does not stream is decided and recorded alike", async () => {
    const { text, record } = await finish(call({ stream: false }));
    expect(text).toBe("ok");
    expect(record).toMatchObject({ doneReason: "stop", error: null });
  });

  test("/api/generate is decided as well", async () => {
    const body = { model: "tiny", prompt: words(6_000), messages: undefined };
    const { decision, text } = await finish(call(body, { path: "/api/generate" }));
    expect(text).toBe("ok");
    expect(decision.numCtx).toBeGreaterThan(6_000);
  });
});

describe("what is left untouched", () => {
  test("a call that is not optimized goes out as it is written", async () => {
    const body = { model: "tiny", messages: [{ role: "user", content: "hi" }], options: { top_k: 3 } };
    const { decision } = await finish(call(body, { optimize: false }));
    expect(generating()[0]?.body).toEqual(body);
    expect(decision.action).toBe("pass");
  });

  test("the window that it loads is seen by the next decision, which does not load another", async () => {
    for (let warm = 0; warm < 2; warm++) await finish(call(prompt(9_000)));
    await finish(call(prompt(5), { optimize: false }));
    const loads = server.loads.length;
    const { decision } = await finish(call(prompt(5)));
    expect(decision).toMatchObject({ action: "keep", numCtx: 4096, outcome: { reloaded: false } });
    expect(server.loads).toHaveLength(loads);
  });

  test("when the server's lists fail, the call goes out with truncate: false only", async () => {
    for (const path of ["/api/show", "/api/ps", "/api/tags"])
      server.failNext({ path, status: 500, times: 9 });
    const { decision, text } = await finish(call());
    expect(text).toBe("ok");
    expect(decision).toMatchObject({ action: "pass", numCtx: null });
    expect(generating()[0]?.body).toMatchObject({ truncate: false });
    expect(generating()[0]?.body).not.toHaveProperty("options");
  });

  test("a store that fails never fails a call", async () => {
    await engine.close();
    const broken = Object.assign(memoryStore(), {
      get: () => {
        throw new TypeError("broken");
      },
      append: () => Promise.reject(new Error("full")),
    }) as OptimizerStore;
    engine = new Engine({ store: broken, logger: { warn: (text) => warnings.push(text) } });
    expect((await finish(call())).text).toBe("ok");
    expect((await finish(call())).text).toBe("ok");
    expect(warnings.length).toBeGreaterThan(0);
    expect(warnings.length).toBeLessThan(3);
  });
});

describe("records", () => {
  test("every call is in the request log, without its text", async () => {
    await finish(call({ messages: [{ role: "user", content: "my secret question" }] }));
    const records = [];
    for await (const record of store.requests()) records.push(record);
    expect(records).toHaveLength(1);
    expect(records[0]).toMatchObject({ model: "tiny", source: "model", outputTokens: 2, toolCalls: 0 });
    expect(
      JSON.stringify([
        records,
        ...["templates", "profiles", "settings"].map((kind) => [...store.list(kind as never)]),
      ]),
    ).not.toContain("secret");
  });

  test("counting loads no model", async () => {
    const counted = await engine.countTokens(call(prompt(100)));
    expect(counted.tokens).toBeGreaterThan(90);
    expect(server.loads).toHaveLength(0);
  });
});

test("a probe does not undo the window that another client has loaded meanwhile", async () => {
  await finish(call());
  await foreignCall(16_384);
  await idle(400);
  expect(server.loads.map(({ numCtx }) => numCtx)).toEqual([4096, 16_384]);
});

describe("a server that tells little, or not to everybody", () => {
  /** Reaches the server, but for what `refuses` answers. */
  const through =
    (refuses: (path: string, headers: Readonly<Record<string, string>>) => number | null): Transport =>
    async (url, init) => {
      const status = refuses(new URL(url).pathname, init?.headers ?? {});
      return nodeTransport(status === null ? url : `${server.origin}/absent`, init);
    };

  test("a call whose lists fail goes out undecided, with one warning", async () => {
    const transport = through((path) => (path === "/api/chat" ? null : 404));
    const { decision } = await finish(call({}, { transport }));
    await finish(call({}, { transport }));
    expect(decision).toMatchObject({ action: "pass", outcome: { error: null } });
    expect(warnings).toEqual([
      "optimizer: a call goes out undecided (the server tells nothing about itself or the model)",
    ]);
  });

  test("headers of an earlier call do not stand in the way of a later one's", async () => {
    const transport = through((_, headers) => (headers.authorization === "Bearer new" ? null : 401));
    await finish(call({}, { transport, headers: { authorization: "Bearer old" } })).catch(() => {});
    const { decision } = await finish(call({}, { transport, headers: { authorization: "Bearer new" } }));
    expect(decision.action).toBe("load");
  });

  test("a clock that is set back does not make a foreign reload unseen", async () => {
    await finish(call());
    const real = Date.now;
    vi.spyOn(Date, "now").mockImplementation(() => real() - 3_600_000);
    try {
      await foreignCall(16_384);
      await idle(2_100);
      const { decision, record } = await finish(call());
      expect(decision).toMatchObject({ action: "keep", numCtx: 16_384, outcome: { reloaded: false } });
      expect(record.timeToFirstTokenMs).toBeGreaterThanOrEqual(0);
    } finally {
      vi.restoreAllMocks();
    }
  });
});

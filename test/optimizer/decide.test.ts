import { describe, expect, test } from "vitest";
import { configuration } from "../../src/optimizer/configuration.js";
import { decide } from "../../src/optimizer/decide.js";
import { decided, facts, GIB, loadedState, loadedWith, NOW, slotWith } from "./situation.js";

describe("keep", () => {
  test("a loaded window that covers the need is repeated with all options it was loaded with", () => {
    const slot = loadedWith(8192, { options: { num_ctx: 8192, num_batch: 256, num_gpu: 20 } });
    expect(decided(slot, facts(7192))).toMatchObject({
      action: "keep",
      options: { num_ctx: 8192, num_batch: 256, num_gpu: 20 },
      truncate: false,
      numPredict: 1000,
      needTokens: 8192,
      promptTokens: 7192,
      outputReserve: 1000,
      loadedNumCtx: 8192,
    });
  });

  test("a limit of the reply holds within the room behind the prompt", () => {
    const limited = (outputLimit: number) => decided(loadedWith(8192), { ...facts(3000), outputLimit });
    expect(limited(4_000)).toMatchObject({ action: "keep", numPredict: 4_000 });
    expect(limited(16_384)).toMatchObject({ action: "keep", numPredict: 5_192 });
  });

  test("another client's window that covers is used, also one that is no rung", () => {
    expect(decided(loadedWith(5000), facts(3000))).toMatchObject({
      action: "keep",
      options: { num_ctx: 5000 },
    });
  });

  test("it is kept although it spills, while that has cost less than a reload", () => {
    const slot = loadedWith(65_536, {
      loaded: loadedState(65_536, { sizeBytes: 10 * GIB, vramBytes: 6 * GIB }),
      known: { loadMs: [4000], spillCostMs: 3999 },
    });
    expect(decided(slot, facts(3000)).action).toBe("keep");
  });

  test("after a restart without /api/ps, what was last sent is repeated", () => {
    const slot = slotWith({ loaded: null, options: { num_ctx: 8192, num_batch: 128 } });
    expect(decided(slot, facts(3000))).toMatchObject({
      action: "keep",
      options: { num_ctx: 8192, num_batch: 128 },
    });
  });

  test("a prompt of unknown size repeats what is loaded", () => {
    const call = { ...facts(0), prompt: null };
    expect(decided(loadedWith(8192), call)).toMatchObject({
      action: "keep",
      options: { num_ctx: 8192 },
      truncate: false,
      numPredict: undefined,
      confidence: 0,
    });
  });
});

describe("grow", () => {
  test("a need beyond the loaded window grows it once and far enough", () => {
    const slot = loadedWith(8192, { known: { largestNeeds: [8000, 6500, 5000, 3500] } });
    // Need 10000, spacing 1625: 13250.
    expect(decided(slot, facts(9000))).toMatchObject({
      action: "grow",
      options: { num_ctx: 13_824 },
      loadedNumCtx: 8192,
    });
  });

  test("the options of the runner go along, the user's own win", () => {
    const slot = loadedWith(4096, { options: { num_ctx: 4096, num_gpu: 20, num_thread: 4 } });
    const call = facts(9000, { explicit: { num_thread: 8 } });
    expect(decided(slot, call).options).toEqual({ num_ctx: 11_520, num_gpu: 20, num_thread: 8 });
  });

  test("a small window of another program's grows to the least one at once, or as far as may be", () => {
    const grown = (config?: Parameters<typeof configuration>[0], slot = loadedWith(512)) =>
      decide(slot, facts(600), configuration(config), NOW).options.num_ctx;
    expect(grown()).toBe(4096);
    expect(grown({ minimumWindow: 8192 })).toBe(8192);
    expect(grown({ minimumWindow: 1024, maximumWindow: 2048 })).toBeLessThanOrEqual(2048);
    expect(grown({}, loadedWith(512, { trained: 2048 }))).toBe(2048);
  });

  test("at the trained window there is nothing to grow to: the reply gets what is left", () => {
    const slot = loadedWith(8192, { trained: 8192 });
    const decision = decided(slot, facts(7800));
    expect(decision).toMatchObject({ action: "keep", options: { num_ctx: 8192 }, numPredict: 392 });
    expect(decision.tight).toEqual({ limit: 8192, kind: "trained", needTokens: 8800 });
    expect(decision.overflow).toBeUndefined();
  });

  test("a batch that evidence names comes with the growth, never alone", () => {
    const batches = [
      { numBatch: 512, promptTokensPerSecond: 1000, sizeBytes: null },
      { numBatch: 128, promptTokensPerSecond: 950, sizeBytes: null },
    ];
    const slot = loadedWith(8192, { known: { batches } });
    expect(decided(slot, facts(3000)).options).toEqual({ num_ctx: 8192 });
    expect(decided(slot, facts(9000)).options.num_batch).toBe(128);
    expect(decided(slot, facts(9000, { isEmbedding: true })).options.num_batch).toBeUndefined();
    expect(decided(slot, facts(9000, { explicit: { num_batch: 64 } })).options.num_batch).toBe(64);
  });

  test("growing while it spills takes a smaller batch, and no margin that would spill more", () => {
    const slot = loadedWith(8192, { loaded: loadedState(8192, { sizeBytes: 10 * GIB, vramBytes: 9 * GIB }) });
    expect(decided(slot, facts(9000)).options.num_batch).toBe(256);
  });
});

describe("load", () => {
  test("an empty slot gets at least Ollama's default", () => {
    expect(decided(slotWith({}), facts(100))).toMatchObject({
      action: "load",
      options: { num_ctx: 4096 },
      loadedNumCtx: null,
    });
    expect(decided(slotWith({ trained: 2048 }), facts(100)).options.num_ctx).toBe(2048);
  });

  test("what recent calls needed is covered, the unload is a free resize", () => {
    const known = { recentNeeds: new Array<number>(50).fill(6000), largestNeeds: [60_000, 6000] };
    expect(decided(slotWith({ known }), facts(100)).options.num_ctx).toBe(6912);
  });

  test("the options of the runner that is gone are not repeated", () => {
    const slot = slotWith({ options: { num_ctx: 8192, num_batch: 64 } });
    expect(decided(slot, facts(100)).options).toEqual({ num_ctx: 4096 });
  });

  test("an option of the user's that the runner lacks reloads, with a window of this need", () => {
    const call = facts(100, { explicit: { num_gpu: 0 } });
    expect(decided(loadedWith(16_384), call)).toMatchObject({
      action: "load",
      options: { num_ctx: 4096, num_gpu: 0 },
    });
    const again = loadedWith(16_384, { options: { num_ctx: 16_384, num_gpu: 0 } });
    expect(decided(again, call).action).toBe("keep");
  });

  test("a ceiling limits the load and asks for a smaller batch", () => {
    const ceilings = [{ numCtx: 16_384, at: new Date(NOW).toISOString(), loadedBytes: 0 }];
    const slot = slotWith({ known: { ceilings } });
    const decision = decided(slot, facts(13_500));
    expect(decision).toMatchObject({ options: { num_ctx: 13_824, num_batch: 256 }, numPredict: 324 });
    expect(decision.tight).toEqual({ limit: 13_824, kind: "ceiling", needTokens: 14_500 });
  });
});

describe("shrink", () => {
  const bytes = (numCtx: number) => 5 * GIB + numCtx * 131_072;
  const point = (numCtx: number) => ({
    numCtx,
    numBatch: null,
    sizeBytes: bytes(numCtx),
    vramBytes: 6 * GIB,
  });
  const spilling = (known: object = {}, vramBytes = 6 * GIB) =>
    loadedWith(32_768, {
      loaded: loadedState(32_768, { sizeBytes: bytes(32_768), vramBytes }),
      known: {
        loadMs: [4000],
        spillCostMs: 4001,
        memory: [point(32_768), point(16_384)],
        sawVram: true,
        ...known,
      },
    });

  test("when the spill has cost more than a reload and a smaller window ends it", () => {
    expect(decided(spilling(), facts(3000))).toMatchObject({ action: "shrink", options: { num_ctx: 4096 } });
  });

  test("never below what recent calls needed", () => {
    expect(decided(spilling({ recentNeeds: [7000] }), facts(3000)).options.num_ctx).toBe(8192);
  });

  test("not when the smaller window would spill as well", () => {
    expect(decided(spilling({ recentNeeds: [9000] }), facts(3000)).action).toBe("keep");
  });

  test("not without an observed price, and not without a memory model", () => {
    expect(decided(spilling({ loadMs: [] }), facts(3000)).action).toBe("keep");
    expect(decided(spilling({ memory: [point(32_768)] }), facts(3000)).action).toBe("keep");
  });

  test("not on a machine that never had it in GPU memory", () => {
    expect(decided(spilling({ sawVram: false }, 0), facts(3000)).action).toBe("keep");
  });

  test("when a GPU machine shows it on the CPU alone, that is the worst spill", () => {
    expect(decided(spilling({}, 0), facts(3000)).action).toBe("shrink");
  });

  test("not while a reload is on its way", () => {
    const slot = { ...spilling(), pending: { options: { num_ctx: 32_768 }, since: NOW, calls: 1 } };
    expect(decided(slot, facts(3000)).action).toBe("keep");
  });
});

describe("the user's own window", () => {
  const set = (numCtx: number) => ({ explicit: { num_ctx: numCtx } });

  test("equal to the loaded one it is kept, else it reloads, up or down", () => {
    expect(decided(loadedWith(8192), facts(100, set(8192))).action).toBe("keep");
    expect(decided(loadedWith(8192), facts(100, set(9000)))).toMatchObject({
      action: "grow",
      options: { num_ctx: 9000 },
    });
    expect(decided(loadedWith(8192), facts(100, set(2048)))).toMatchObject({
      action: "shrink",
      options: { num_ctx: 2048 },
    });
    expect(decided(slotWith({}), facts(100, set(2048)))).toMatchObject({
      action: "load",
      options: { num_ctx: 2048 },
    });
  });

  test("above the trained window it is clamped before it is compared, as Ollama does", () => {
    const slot = loadedWith(8192, { trained: 8192 });
    expect(decided(slot, facts(100, set(32_768)))).toMatchObject({
      action: "keep",
      options: { num_ctx: 8192 },
    });
  });

  test("it is never grown: a prompt that does not fit overflows, a reply that does not is shortened", () => {
    expect(decided(slotWith({}), facts(2000, set(2048))).overflow).toEqual({
      limit: 2048,
      kind: "explicit",
      needTokens: 3000,
    });
    const short = decided(slotWith({}), facts(1900, set(2048)));
    expect(short).toMatchObject({ numPredict: 148, tight: { limit: 2048, kind: "explicit" } });
    expect(short.overflow).toBeUndefined();
  });

  test("it goes out even when nothing is known of the server", () => {
    expect(decided(slotWith({ loaded: null }), facts(100, set(2048)))).toMatchObject({
      options: { num_ctx: 2048 },
    });
  });

  test("a pinned window stands like one, below the call's own", () => {
    const slot = loadedWith(8192, { known: { pinnedNumCtx: 6000 } });
    expect(decided(slot, facts(100)).options.num_ctx).toBe(6000);
    expect(decided(slot, facts(100, set(8192))).options.num_ctx).toBe(8192);
  });
});

describe("overflow", () => {
  test("a prompt longer than the trained window names the numbers", () => {
    const decision = decided(slotWith({ trained: 8192 }), facts(9000));
    expect(decision.overflow).toEqual({ limit: 8192, kind: "trained", needTokens: 10_000 });
    expect(decision).toMatchObject({ options: { num_ctx: 8192 }, numPredict: undefined });
  });

  test("128 tokens for the reply are enough to fit, one less is not", () => {
    expect(decided(slotWith({ trained: 8192 }), facts(8192 - 128)).overflow).toBeUndefined();
    expect(decided(slotWith({ trained: 8192 }), facts(8192 - 127)).overflow).toBeDefined();
  });

  test("a reply that is known to be short needs no more than itself", () => {
    const reserve = { tokens: 1, source: "numPredict" } as const;
    expect(decided(slotWith({ trained: 8192 }), facts(8191, { reserve })).overflow).toBeUndefined();
  });

  test("a bound or an estimate refuses nothing: the server knows the true number", () => {
    const slot = slotWith({ trained: 8192 });
    for (const source of ["bound", "estimate"] as const) {
      const decision = decided(slot, facts(9000, { source }));
      expect(decision.overflow).toBeUndefined();
      expect(decision).toMatchObject({ options: { num_ctx: 8192 }, truncate: false, numPredict: 1000 });
    }
  });

  test("what a person fixed by hand is told apart from options and from memory", () => {
    const ceiling = { numCtx: 8192, at: new Date(NOW).toISOString(), loadedBytes: 0 };
    const kindOf = (known: Parameters<typeof slotWith>[0]["known"], maximumWindow: number | null = null) =>
      decide(slotWith({ known }), facts(9000), configuration({ maximumWindow }), NOW).overflow?.kind;
    expect(kindOf({ ceilings: [ceiling] })).toBe("ceiling");
    expect(kindOf({ maximumNumCtx: 4096 })).toBe("allowed");
    expect(kindOf({ pinnedNumCtx: 4096 })).toBe("pinned");
    // Of several the smallest counts.
    expect(kindOf({ ceilings: [ceiling], maximumNumCtx: 4096 }, 6144)).toBe("allowed");
    expect(kindOf({ ceilings: [ceiling], maximumNumCtx: 6144 }, 4096)).toBe("maximum");
  });

  test("the maximum window of the tuning options is a limit of its own", () => {
    const small = configuration({ maximumWindow: 8192 });
    expect(decide(slotWith({}), facts(9000), small, NOW).overflow).toMatchObject({
      limit: 8192,
      kind: "maximum",
    });
    expect(decide(loadedWith(16_384), facts(9000), small, NOW)).toMatchObject({
      action: "keep",
      options: { num_ctx: 16_384 },
    });
  });
});

describe("servers that ignore truncate", () => {
  const known = { refusesOverflow: false };

  test("are sized by the upper bound", () => {
    const call = facts(3000, { source: "estimate", upperBound: 9000 });
    expect(decided(loadedWith(8192), call).action).toBe("keep");
    expect(decided(loadedWith(8192, { known }), call)).toMatchObject({ action: "grow", needTokens: 10_000 });
  });

  test("an exact count needs no bound", () => {
    expect(decided(loadedWith(8192, { known }), facts(3000, { upperBound: 9000 })).action).toBe("keep");
  });

  test("an estimate that passes every window overflows, a bound that does is no reason", () => {
    const slot = slotWith({ trained: 8192, known });
    expect(decided(slot, facts(9000, { source: "estimate", upperBound: 20_000 })).overflow).toBeDefined();
    expect(decided(slot, facts(3000, { source: "estimate", upperBound: 20_000 })).overflow).toBeUndefined();
  });
});

describe("num_predict", () => {
  test("is the room behind an exact prompt", () => {
    expect(decided(loadedWith(8192), facts(3000)).numPredict).toBe(5192);
  });

  test("of the user's stands, unless it is certain not to fit", () => {
    const call = (tokens: number, source?: "estimate") =>
      facts(7000, { reserve: { tokens, source: "numPredict" }, source });
    expect(decided(loadedWith(8192, { trained: 8192 }), call(500)).numPredict).toBe(500);
    expect(decided(loadedWith(8192, { trained: 8192 }), call(5000)).numPredict).toBe(1192);
    expect(decided(loadedWith(8192, { trained: 8192 }), call(5000, "estimate")).numPredict).toBe(5000);
  });

  test("behind a bound is what certainly fits, but never less than the reserve", () => {
    expect(decided(loadedWith(8192), facts(3000, { source: "bound" })).numPredict).toBe(5192);
    expect(decided(loadedWith(8192, { trained: 8192 }), facts(8000, { source: "bound" })).numPredict).toBe(
      1000,
    );
  });

  test("is not sent with embeddings", () => {
    const call = facts(3000, { isEmbedding: true, reserve: { tokens: 0, source: "none" } });
    expect(decided(loadedWith(8192), call).numPredict).toBeUndefined();
  });
});

describe("untouched", () => {
  test("with the optimizer off or a remote model nothing is added", () => {
    for (const more of [{ optimize: false }, { remote: true }]) {
      expect(decided(loadedWith(8192), facts(90_000, { ...more, explicit: { num_batch: 7 } }))).toMatchObject(
        {
          action: "pass",
          options: { num_batch: 7 },
          truncate: undefined,
          numPredict: undefined,
        },
      );
    }
  });

  test("when nothing is known of the server, only the silent cut is forbidden", () => {
    expect(decided(slotWith({ loaded: null }), facts(3000))).toMatchObject({
      action: "pass",
      options: {},
      truncate: false,
      numPredict: undefined,
    });
    expect(decided(slotWith({}), { ...facts(0), prompt: null })).toMatchObject({
      action: "pass",
      truncate: false,
    });
  });
});

test("the reason is one sentence with the numbers", () => {
  expect(decided(loadedWith(4096), facts(5000)).reason).toBe(
    "5000 prompt tokens (exact) and 1000 for the reply need 6000; 4096 is loaded, so it grows to 6912.",
  );
  expect(decided(loadedWith(4096), facts(100)).reason).toContain("the loaded window of 4096 is kept");
  expect(decided(slotWith({ trained: 2048 }), facts(1800)).reason).toMatch(
    /less than the need \(limit: trained\)\.$/,
  );
});

test("confidence falls with a weaker count and a weaker reserve", () => {
  const of = (call: Parameters<typeof decided>[1]) => decided(loadedWith(8192), call).confidence;
  const explicit = { tokens: 100, source: "numPredict" } as const;
  expect(of(facts(100, { reserve: explicit }))).toBe(1);
  expect(of(facts(100, { reserve: explicit, source: "estimate" }))).toBe(0.8);
  expect(of(facts(100))).toBe(0.8);
  expect(of(facts(100, { reserve: { tokens: 1024, source: "default" } }))).toBe(0.6);
  const template = { tokens: 100, source: "template" } as const;
  expect(of(facts(100, { reserve: template, templateConfidence: 0.5 }))).toBe(0.48);
  expect(of(facts(100, { templateConfidence: 0.5 }))).toBe(0.8);
});

import { describe, expect, test } from "vitest";
import { afterDecision } from "../../src/optimizer/transitions.js";
import { answered, decided, facts, GIB, loadedState, loadedWith, NOW, reply, slotWith } from "./situation.js";

const kept = (slot = loadedWith(8192), call = facts(3000), answer = reply(3000)) =>
  answered(slot, call, decided(slot, call), answer);

describe("needs", () => {
  test("the prompt as the server counted it, with the reserve or the longer reply, is learned", () => {
    expect(kept(undefined, facts(3000), reply(3010)).slot.known).toMatchObject({
      recentNeeds: [4010],
      largestNeeds: [4010],
      calls: 1,
    });
    expect(kept(undefined, facts(3000), reply(3000, { outputTokens: 2000 })).slot.known.recentNeeds).toEqual([
      5000,
    ]);
  });

  test("64 recent ones are kept, newest last, and the 6 largest, largest first", () => {
    const known = {
      recentNeeds: Array.from({ length: 64 }, (_, index) => index),
      largestNeeds: [9000, 8000, 7000, 6000, 5000, 1],
    };
    const after = kept(loadedWith(8192, { known })).slot.known;
    expect(after.recentNeeds).toHaveLength(64);
    expect(after.recentNeeds.at(-1)).toBe(4000);
    expect(after.largestNeeds).toEqual([9000, 8000, 7000, 6000, 5000, 4000]);
  });

  test.each([
    ["a cut", facts(12_054, { explicit: { num_ctx: 4096 } }), reply(2051)],
    ["a shift", facts(3000), reply(3000, { outputTokens: 6000 })],
    ["two requests in one", facts(3000), reply(3000, { isTwoRequests: true })],
    ["a failure", facts(3000), reply(3000, { error: "RUNNER_CRASHED" })],
    ["no count", facts(3000), reply(null)],
  ])("%s teaches none", (_name, call, answer) => {
    const after = kept(loadedWith(8192), call, answer);
    expect(after.isLearnable).toBe(false);
    expect(after.slot.known.recentNeeds).toEqual([]);
    expect(after.slot.known.calls).toBe(1);
  });
});

describe("reloads", () => {
  test("a warm reply is none, and its load duration becomes the norm", () => {
    const after = kept();
    expect(after.outcome).toEqual({ retries: 0, reloaded: false, shifted: false, cut: false, error: null });
    expect(after).toMatchObject({ isForeignReload: false, isStale: false });
    expect(after.slot.known).toMatchObject({ warmLoadMs: [20], loadMs: [] });
  });

  test("a slow load under a kept window is another client's doing", () => {
    const after = kept(undefined, undefined, reply(3000, { loadMs: 3000 }));
    expect(after).toMatchObject({ isForeignReload: true, isStale: true, outcome: { reloaded: true } });
    expect(after.slot.known).toMatchObject({ warmLoadMs: [], loadMs: [3000] });
    expect(after.change.counts).toMatchObject({ reloads: 1, foreignReloads: 1 });
  });

  test("a decided reload is ours", () => {
    const call = facts(9000);
    const decision = decided(loadedWith(8192), call);
    const after = answered(
      afterDecision(loadedWith(8192), decision, NOW),
      call,
      decision,
      reply(9000, { loadMs: 3000 }),
    );
    expect(after).toMatchObject({ isForeignReload: false, isStale: true, outcome: { reloaded: true } });
    expect(after.slot).toMatchObject({
      pending: null,
      options: { num_ctx: 11_520 },
      loaded: { numCtx: 11_520 },
    });
    expect(after.change.counts).toMatchObject({ calls: 1, reloads: 1, foreignReloads: 0 });
    expect(after.change.lastOptions).toEqual({ num_ctx: 11_520 });
  });

  test("a decided reload that another program had done already is none", () => {
    const slot = loadedWith(8192, { known: { warmLoadMs: [20, 20, 20] } });
    const call = facts(9000);
    expect(answered(slot, call, decided(slot, call), reply(9000, { loadMs: 25 })).outcome.reloaded).toBe(
      false,
    );
    expect(answered(slot, call, decided(slot, call), reply(9000, { loadMs: null })).outcome.reloaded).toBe(
      true,
    );
  });

  test.each([
    ["a warm file loads in a fifth of what the first load took from a cold disk", [20], 20_000, 4_000],
    ["a small model's took a busy machine 2.5 s, now 0.3 s", [2, 3, 3], 2_500, 330],
  ])("a decided reload may be far shorter than those before: %s", (_name, warmLoadMs, before, loadMs) => {
    const call = facts(9000);
    const slot = loadedWith(8192, { known: { warmLoadMs, loadMs: [before] } });
    const after = answered(slot, call, decided(slot, call), reply(9000, { loadMs }));
    expect(after.outcome.reloaded).toBe(true);
    expect(after.slot.known.loadMs).toEqual([before, loadMs]);
  });

  test("who waited for another call's reload neither counts it nor teaches what is warm", () => {
    const slot = afterDecision(loadedWith(8192), decided(loadedWith(8192), facts(9000)), NOW);
    const after = kept(slot, facts(100), reply(100, { loadMs: 3000 }));
    expect(after.outcome.reloaded).toBe(false);
    expect(after.slot.known).toMatchObject({ warmLoadMs: [], loadMs: [] });
  });

  test("16 prices and 32 warm values are kept", () => {
    const known = { warmLoadMs: new Array<number>(32).fill(1), loadMs: new Array<number>(16).fill(500) };
    const warm = kept(loadedWith(8192, { known }));
    expect(warm.slot.known.warmLoadMs).toHaveLength(32);
    expect(warm.slot.known.warmLoadMs.at(-1)).toBe(20);
    const slow = kept(loadedWith(8192, { known }), facts(3000), reply(3000, { loadMs: 900 }));
    expect(slow.slot.known.loadMs).toHaveLength(16);
    expect(slow.slot.known.loadMs.at(-1)).toBe(900);
  });

  test("a call that went out as written with a window leaves that window loaded", () => {
    const call = facts(100, { optimize: false, explicit: { num_ctx: 2048 } });
    const after = kept(loadedWith(8192), call, reply(100, { loadMs: 3000 }));
    expect(after.slot).toMatchObject({ options: { num_ctx: 2048 }, loaded: { numCtx: 2048 } });
    expect(after.isForeignReload).toBe(false);
  });

  test("one without a window leaves what only the server knows", () => {
    const after = kept(loadedWith(8192), facts(100, { optimize: false }), reply(100));
    expect(after).toMatchObject({ isStale: true, slot: { options: {} } });
  });
});

describe("cuts and shifts", () => {
  test("a cut despite truncate: false shows a server that ignores it", () => {
    const call = facts(9000, { source: "estimate", upperBound: 30_000 });
    const slot = loadedWith(4096, { trained: 4096 });
    const after = kept(slot, call, reply(2051));
    expect(after.outcome.cut).toBe(true);
    expect(after.slot.known.refusesOverflow).toBe(false);
    expect(after.change).toMatchObject({ refusesOverflow: false, counts: { cuts: 1 } });
  });

  test("a cut that was allowed shows nothing", () => {
    const call = facts(9000, { optimize: false, explicit: { num_ctx: 4096 } });
    const after = kept(loadedWith(4096), call, reply(2051));
    expect(after.outcome.cut).toBe(true);
    expect(after.slot.known.refusesOverflow).toBeNull();
  });

  test("a shift is counted", () => {
    const after = kept(undefined, undefined, reply(3000, { outputTokens: 6000 }));
    expect(after.outcome.shifted).toBe(true);
    expect(after.change.counts).toMatchObject({ shifts: 1, cuts: 0 });
  });
});

describe("spills", () => {
  const on = (vramBytes: number, known = {}) =>
    loadedWith(8192, { loaded: loadedState(8192, { sizeBytes: 10 * GIB, vramBytes }), known });

  test("the best rate without a spill is kept", () => {
    const fast = kept(on(10 * GIB), facts(3000), reply(3000, { outputTokens: 100, outputMs: 2000 }));
    expect(fast.slot.known).toMatchObject({ unspilledTokensPerSecond: 50, spillCostMs: 0 });
    const slower = kept(fast.slot, facts(3000), reply(3000, { outputTokens: 100, outputMs: 4000 }));
    expect(slower.slot.known.unspilledTokensPerSecond).toBe(50);
  });

  test("short replies and spilled ones give no rate", () => {
    expect(
      kept(on(10 * GIB), facts(3000), reply(3000, { outputTokens: 31 })).slot.known.unspilledTokensPerSecond,
    ).toBeNull();
    expect(kept(on(9 * GIB)).slot.known.unspilledTokensPerSecond).toBeNull();
    expect(kept().slot.known.unspilledTokensPerSecond).toBeNull();
  });

  test("what a spill costs adds up, and a reload ends the sum", () => {
    const slot = on(9 * GIB, { spillCostMs: 500, unspilledTokensPerSecond: 100 });
    const after = kept(slot, facts(3000), reply(3000, { outputTokens: 100, outputMs: 2000 }));
    expect(after.slot.known.spillCostMs).toBe(1500);
    expect(after.change.counts.spillCostMs).toBe(1000);
    const reloaded = kept(after.slot, facts(3000), reply(3000, { loadMs: 4000 }));
    expect(reloaded.slot.known.spillCostMs).toBe(0);
    expect(reloaded.change.counts.spillCostMs).toBe(-1500);
  });
});

test("a window that loaded disproves its ceiling", () => {
  const ceilings = [{ numCtx: 8192, at: new Date(NOW).toISOString(), loadedBytes: 0 }];
  expect(kept(loadedWith(8192, { known: { ceilings } })).slot.known.ceilings).toEqual([]);
  expect(kept(loadedWith(4096, { known: { ceilings } }), facts(100), reply(100)).slot.known.ceilings).toEqual(
    ceilings,
  );
});

test("the change carries retries and what is known, for the slot's own record", () => {
  const after = kept(
    slotWith({ loaded: null, options: { num_ctx: 8192 } }),
    facts(3000),
    reply(3000, { retries: 1 }),
  );
  expect(after.change).toMatchObject({
    id: "server blob",
    serverId: "server",
    blob: "blob",
    trainedNumCtx: 131_072,
    updatedAt: new Date(NOW).toISOString(),
    recentNeeds: [4000],
    counts: { calls: 1, retries: 1 },
  });
  // Pins and calibrations are written by others; a reply never takes them back.
  expect(after.change).not.toHaveProperty("pinnedNumCtx");
  expect(after.change).not.toHaveProperty("batches");
});

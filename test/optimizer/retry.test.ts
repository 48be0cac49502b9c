import { describe, expect, test } from "vitest";
import type { CallFacts, Decided } from "../../src/optimizer/decide.js";
import { afterContextError, afterOutOfMemory } from "../../src/optimizer/retry.js";
import type { SlotState } from "../../src/optimizer/slotState.js";
import { afterDecision } from "../../src/optimizer/transitions.js";
import { config, decided, facts, loadedState, loadedWith, NOW, slotWith } from "./situation.js";

describe("after a context error", () => {
  const refused = (
    slot: SlotState,
    call: CallFacts,
    decision: Decided,
    promptTokens: number | null,
    windowTokens: number | null,
  ) => afterContextError(slot, call, decision, { promptTokens, windowTokens }, config, NOW);
  const low = facts(3000, { source: "estimate", upperBound: 40_000 });

  test("the retry covers what the server counted", () => {
    const slot = loadedWith(4096);
    const retry = refused(slot, low, decided(slot, low), 12_054, 4096);
    expect(retry.decided).toMatchObject({
      action: "grow",
      promptTokens: 12_054,
      countSource: "exact",
      needTokens: 13_054,
      options: { num_ctx: 16_384 },
    });
    expect(retry.slot.known.refusesOverflow).toBe(true);
    expect(retry.facts.prompt).toEqual({ tokens: 12_054, source: "exact", upperBound: 12_054 });
  });

  test("a refusal without numbers proves only that the count was low", () => {
    const slot = loadedWith(4096);
    const retry = refused(slot, low, decided(slot, low), null, null);
    // 4097 is more than 1.25 x 3000.
    expect(retry.facts.prompt).toEqual({ tokens: 4097, source: "estimate", upperBound: 40_000 });
    expect(retry.decided?.options.num_ctx).toBeGreaterThan(4096);
  });

  test("the runner that refused is loaded, since a 400 avoids no reload", () => {
    const slot = slotWith({});
    const decision = decided(slot, low);
    const retry = refused(afterDecision(slot, decision, NOW), low, decision, 12_054, 4864);
    expect(retry.slot).toMatchObject({ pending: null, loaded: { numCtx: decision.options.num_ctx } });
    expect(retry.decided?.action).toBe("grow");
  });

  test("after a call that went out as written, the window is the one the server named", () => {
    const slot = slotWith({ loaded: null });
    const retry = refused(slot, low, decided(slot, low), 12_054, 4096);
    expect(retry.slot.loaded?.numCtx).toBe(4096);
    expect(retry.decided).toMatchObject({ action: "grow", options: { num_ctx: 16_384 } });
  });

  test("a prompt beyond the trained window overflows", () => {
    const slot = loadedWith(8192, { trained: 8192 });
    expect(refused(slot, low, decided(slot, low), 12_054, 8192).decided?.overflow).toEqual({
      limit: 8192,
      kind: "trained",
      needTokens: 13_054,
    });
  });

  test("the same window is never sent again, with or without numbers", () => {
    const slot = loadedWith(8192, { trained: 8192 });
    for (const tokens of [null, 8192]) {
      expect(refused(slot, low, decided(slot, low), tokens, null).decided?.overflow?.limit).toBe(8192);
    }
  });

  test("the user's window is not grown", () => {
    const call = { ...low, explicit: { num_ctx: 4096 } };
    const slot = loadedWith(4096);
    expect(refused(slot, call, decided(slot, call), 12_054, 4096).decided?.overflow).toMatchObject({
      kind: "explicit",
    });
  });

  test("a window smaller than the one sent is what the model was trained with", () => {
    const slot = slotWith({ trained: null });
    const call = facts(9000, { source: "estimate", upperBound: 40_000 });
    const retry = refused(slot, call, decided(slot, call), 12_054, 2048);
    expect(retry.slot.trainedNumCtx).toBe(2048);
    expect(retry.decided?.overflow).toMatchObject({ limit: 2048 });
  });

  test("a concurrent call's larger window serves the retry", () => {
    const slot = loadedWith(4096);
    const decision = decided(slot, low);
    const growing = afterDecision(slot, decided(slot, facts(30_000)), NOW);
    expect(refused(growing, low, decision, 12_054, 4096).decided).toMatchObject({
      action: "keep",
      joinsReload: true,
    });
  });
});

describe("after out of memory", () => {
  const failed = (slot: SlotState, call: CallFacts, otherBytes = 5e9) =>
    afterOutOfMemory(slot, call, decided(slot, call), otherBytes, config, NOW);

  test("the smallest window that covers the need is tried, and a ceiling remembered", () => {
    const slot = loadedWith(8192, { known: { largestNeeds: [1000] } });
    expect(decided(slot, facts(9000)).options.num_ctx).toBe(16_384);
    const retry = failed(slot, facts(9000));
    expect(retry.decided).toMatchObject({ action: "load", options: { num_ctx: 11_520 } });
    expect(retry.slot.known.ceilings).toEqual([
      { numCtx: 16_384, at: new Date(NOW).toISOString(), loadedBytes: 5e9 },
    ]);
    expect(retry.slot).toMatchObject({ options: {}, loaded: { numCtx: null, otherBytes: 5e9 } });
  });

  test("below the minimum window too: a small one is better than none", () => {
    expect(failed(slotWith({}), facts(100)).decided?.options.num_ctx).toBe(1280);
  });

  test("one rung down is taken with a shorter reply, when the prompt fits there", () => {
    const retry = failed(slotWith({}), facts(10_400));
    expect(decided(slotWith({}), facts(10_400)).options.num_ctx).toBe(13_824);
    expect(retry.decided).toMatchObject({ options: { num_ctx: 11_520 } });
    const again = afterOutOfMemory(retry.slot, retry.facts, retry.decided!, 5e9, config, NOW);
    expect(again.decided).toMatchObject({ overflow: { limit: 9728, kind: "ceiling" } });
    expect(again.slot.known.ceilings.map((ceiling) => ceiling.numCtx)).toEqual([11_520, 13_824]);
  });

  test("the call's own reload is over, another call's is not", () => {
    const slot = slotWith({});
    const decision = decided(slot, facts(100));
    const own = afterDecision(slot, decision, NOW);
    expect(afterOutOfMemory(own, facts(100), decision, 0, config, NOW).slot.pending).toBeNull();
    const other = afterDecision(own, decided(own, facts(9000)), NOW);
    expect(afterOutOfMemory(other, facts(100), decision, 0, config, NOW).slot.pending).not.toBeNull();
  });

  test("the user's window, a pinned one and the server's own are not retried", () => {
    expect(failed(slotWith({}), facts(100, { explicit: { num_ctx: 8192 } })).decided).toBeNull();
    expect(failed(slotWith({ known: { pinnedNumCtx: 8192 } }), facts(100)).decided).toBeNull();
    const written = failed(slotWith({ loaded: null }), facts(100));
    expect(written.decided).toBeNull();
    expect(written.slot.known.ceilings).toEqual([]);
  });

  test("at the smallest rung there is nothing left to try", () => {
    const slot = slotWith({ trained: 256 });
    expect(failed(slot, facts(10)).decided).toBeNull();
  });

  test("without /api/ps the retry is decided all the same", () => {
    const slot = slotWith({ loaded: null, options: { num_ctx: 8192 } });
    expect(failed(slot, facts(3000)).decided).toMatchObject({ action: "load", options: { num_ctx: 4096 } });
    expect(loadedState(null).numCtx).toBeNull();
  });
});

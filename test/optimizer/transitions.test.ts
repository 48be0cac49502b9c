import { describe, expect, test } from "vitest";
import {
  afterDecision,
  afterFailure,
  afterLoaded,
  atSending,
  observe,
} from "../../src/optimizer/transitions.js";
import { decided, facts, GIB, loadedState, loadedWith, NOW, slotWith } from "./situation.js";

describe("looking at the server", () => {
  test("the window that was sent keeps its other options", () => {
    const slot = loadedWith(8192, { options: { num_ctx: 8192, num_batch: 64 } });
    const seen = observe(slot, loadedState(8192, { observedAt: NOW + 1 }));
    expect(seen).toMatchObject({ isForeign: false, isEvicted: false });
    expect(seen.slot.options).toEqual({ num_ctx: 8192, num_batch: 64 });
  });

  test("another window is another client's, of whose options only it is known", () => {
    const slot = loadedWith(8192, { options: { num_ctx: 8192, num_batch: 64 } });
    const seen = observe(slot, loadedState(4096, { observedAt: NOW + 1 }));
    expect(seen.isForeign).toBe(true);
    expect(seen.slot.options).toEqual({ num_ctx: 4096 });
    expect(observe(seen.slot, loadedState(4096, { observedAt: NOW + 2 })).isForeign).toBe(false);
  });

  test("what differs at the first look of a program is no reload seen", () => {
    const slot = slotWith({ loaded: null, options: { num_ctx: 8192, num_batch: 64 } });
    const seen = observe(slot, loadedState(4096));
    expect(seen.isForeign).toBe(false);
    expect(seen.slot.options).toEqual({ num_ctx: 4096 });
  });

  test("after a call that left the window to the server, its default is not foreign", () => {
    const seen = observe(
      loadedWith(8192, { options: { num_batch: 64 } }),
      loadedState(4096, { observedAt: NOW + 1 }),
    );
    expect(seen.isForeign).toBe(false);
    expect(seen.slot.options).toEqual({ num_ctx: 4096, num_batch: 64 });
  });

  test("a model gone before it expires was evicted, one whose time was up was not", () => {
    const loadedUntil = (expiresAt: number | null) =>
      loadedWith(8192, { loaded: loadedState(8192, { expiresAt }) });
    const gone = loadedState(null, { observedAt: NOW + 1000 });
    expect(observe(loadedUntil(NOW + 60_000), gone)).toMatchObject({
      isEvicted: true,
      slot: { options: {} },
    });
    expect(observe(loadedUntil(NOW + 5000), gone).isEvicted).toBe(false);
    expect(observe(loadedUntil(null), gone).isEvicted).toBe(false);
    expect(observe(slotWith({}), gone).isEvicted).toBe(false);
  });

  test("an answer older than what is known changes nothing", () => {
    const slot = loadedWith(8192);
    expect(observe(slot, loadedState(4096, { observedAt: NOW - 1 })).slot).toBe(slot);
  });

  test("sizes become points of the memory model, and GPU memory is remembered", () => {
    const slot = loadedWith(8192, { options: { num_ctx: 8192, num_batch: 64 } });
    const sizes = { sizeBytes: 6 * GIB, vramBytes: 5 * GIB };
    const seen = observe(slot, loadedState(8192, { ...sizes, observedAt: NOW + 1 })).slot;
    expect(seen.known).toMatchObject({ sawVram: true, memory: [{ numCtx: 8192, numBatch: 64, ...sizes }] });
    const unloaded = observe(seen, loadedState(null, { observedAt: NOW + 2 })).slot;
    expect(unloaded.known.sawVram).toBe(true);
    expect(observe(slot, loadedState(8192, { observedAt: NOW + 1 })).slot.known.memory).toEqual([]);
  });

  test("while a reload is on its way, neither the old runner nor none is foreign", () => {
    const growing = afterDecision(loadedWith(4096), decided(loadedWith(4096), facts(9000)), NOW);
    for (const numCtx of [4096, null, 11_520]) {
      const seen = observe(growing, loadedState(numCtx, { observedAt: NOW + 1 }));
      expect(seen).toMatchObject({ isForeign: false, isEvicted: false });
      expect(seen.slot.pending).toEqual(growing.pending);
    }
  });

  test("a reload that nobody answered for is forgotten after ten minutes", () => {
    const growing = afterDecision(loadedWith(4096), decided(loadedWith(4096), facts(9000)), NOW);
    const seen = observe(growing, loadedState(4096, { observedAt: NOW + 600_001 }));
    expect(seen.slot.pending).toBeNull();
    expect(seen.slot.loaded?.numCtx).toBe(4096);
  });
});

describe("concurrent calls", () => {
  test("while a growth is on its way everyone sends its target", () => {
    let slot = loadedWith(4096);
    const growing = decided(slot, facts(9000));
    slot = afterDecision(slot, growing, NOW);
    const small = decided(slot, facts(100));
    expect(small).toMatchObject({ action: "keep", joinsReload: true, options: growing.options });
    slot = afterDecision(slot, small, NOW);
    expect(slot.pending).toMatchObject({ options: growing.options, calls: 2 });
  });

  test("a cold burst goes out with its largest need", () => {
    let slot = slotWith({});
    const calls = [facts(100), facts(20_000), facts(5000)];
    const decisions = calls.map((call) => {
      const decision = decided(slot, call);
      slot = afterDecision(slot, decision, NOW);
      return decision;
    });
    expect(decisions.map((decision) => decision.action)).toEqual(["load", "load", "keep"]);
    const sent = decisions.map((decision, index) => atSending(slot, decision, calls[index]!.explicit));
    expect(new Set(sent.map((decision) => decision.options.num_ctx))).toEqual(new Set([27_648]));
    expect(sent[0]).toMatchObject({ joinsReload: true, numPredict: 27_648 - 100 });
    expect(sent[0]!.reason).toContain("27648, which a concurrent call needs");
    expect(sent[1]).toBe(decisions[1]);
  });

  test("a raised target leaves the user's window, num_predict and options alone", () => {
    const slot = afterDecision(slotWith({}), decided(slotWith({}), facts(20_000)), NOW);
    const reserve = { tokens: 50, source: "numPredict" } as const;
    const limited = decided(slotWith({}), facts(100, { reserve }));
    expect(atSending(slot, limited, {}).numPredict).toBe(50);
    const own = decided(slotWith({}), facts(100, { explicit: { num_ctx: 2048 } }));
    expect(atSending(slot, own, { num_ctx: 2048 })).toBe(own);
    const batch = decided(slotWith({}), facts(100, { explicit: { num_batch: 64 } }));
    expect(atSending(slot, batch, { num_batch: 64 })).toBe(batch);
    const off = decided(slotWith({}), facts(100, { optimize: false }));
    expect(atSending(slot, off, {})).toBe(off);
  });

  test("a smaller target does not pull a decision down", () => {
    const big = decided(slotWith({}), facts(20_000));
    const slot = afterDecision(slotWith({}), decided(slotWith({}), facts(100)), NOW);
    expect(atSending(slot, big, {})).toBe(big);
  });

  test("the target is dropped when the last call that carries it fails, not before", () => {
    let slot = loadedWith(4096);
    const growing = decided(slot, facts(9000));
    slot = afterDecision(slot, growing, NOW);
    const joining = decided(slot, facts(100));
    slot = afterDecision(slot, joining, NOW);
    slot = afterFailure(slot, growing);
    expect(slot.pending).not.toBeNull();
    slot = afterFailure(slot, joining);
    expect(slot).toMatchObject({ pending: null, loaded: null, options: { num_ctx: 4096 } });
    expect(afterFailure(slot, growing)).toBe(slot);
  });

  test("a call of the old window that fails leaves the growth alone", () => {
    const old = decided(loadedWith(4096), facts(100));
    const slot = afterDecision(loadedWith(4096), decided(loadedWith(4096), facts(9000)), NOW);
    expect(afterFailure(slot, old)).toBe(slot);
  });
});

describe("a runner that answered", () => {
  test("is loaded with what was sent, and the reload is over", () => {
    const growing = decided(loadedWith(4096), facts(9000));
    const slot = afterDecision(loadedWith(4096), growing, NOW);
    const loaded = afterLoaded(slot, growing.options, NOW + 5);
    expect(loaded).toMatchObject({ options: growing.options, pending: null });
    expect(loaded.loaded).toMatchObject({ numCtx: 11_520, sizeBytes: 0, observedAt: NOW + 5 });
  });

  test("with an older target leaves the newer one on its way", () => {
    const first = decided(slotWith({}), facts(100));
    let slot = afterDecision(slotWith({}), first, NOW);
    slot = afterDecision(slot, decided(slot, facts(9000)), NOW);
    const loaded = afterLoaded(slot, first.options, NOW);
    expect(loaded.loaded?.numCtx).toBe(4096);
    expect(loaded.pending?.options.num_ctx).toBe(11_520);
  });

  test("that was known changes nothing", () => {
    const slot = loadedWith(4096);
    expect(afterLoaded(slot, { num_ctx: 4096 }, NOW)).toBe(slot);
    expect(afterLoaded(slot, {}, NOW)).toBe(slot);
  });
});

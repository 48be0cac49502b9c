import { describe, expect, test } from "vitest";
import { afterWaiting, isContested } from "../../src/optimizer/contest.js";
import type { SlotState } from "../../src/optimizer/slotState.js";
import { afterDecision } from "../../src/optimizer/transitions.js";
import { answered, decided, facts, loadedState, loadedWith, NOW, reply, slotWith } from "./situation.js";

const known = { loadMs: [2000, 2000, 2000], warmLoadMs: [20, 20, 20] };

/** A slot after calls that kept their window of 8,192 and had these load durations. */
function keptIn(...loadMs: number[]): SlotState {
  return loadMs.reduce(
    (slot, ms) => answered(slot, facts(3000), decided(slot, facts(3000)), reply(3000, { loadMs: ms })).slot,
    loadedWith(8192, { known }),
  );
}

const shown = (slot: SlotState, numCtx: number | null, more = {}): SlotState => ({
  ...slot,
  loaded: loadedState(numCtx, more),
  options: numCtx === null ? {} : { num_ctx: numCtx },
});

describe("a kept window that was loaded all the same", () => {
  const slot = keptIn(2000);

  test("is looked at for some more ms: the runner on its way out is still listed", () => {
    expect(isContested(slot, NOW)).toBe(true);
    expect(isContested(slot, NOW + 24)).toBe(true);
    expect(isContested(slot, NOW + 25)).toBe(false);
  });

  test("for four times as long each time, up to a quarter of a load", () => {
    expect(isContested(keptIn(2000, 2000), NOW + 99)).toBe(true);
    expect(isContested(keptIn(2000, 2000), NOW + 100)).toBe(false);
    const often = keptIn(2000, 2000, 2000, 2000, 2000);
    expect(isContested(often, NOW + 499)).toBe(true);
    expect(isContested(often, NOW + 500)).toBe(false);
  });

  test("is waited for while nothing is listed, for two loads", () => {
    expect(isContested(shown(slot, null), NOW + 3999)).toBe(true);
    expect(isContested(shown(slot, null), NOW + 4000)).toBe(false);
  });

  test("but not when other models are: it made room for them", () => {
    expect(isContested(shown(slot, null, { otherModelsLoaded: 1 }), NOW)).toBe(false);
  });

  test("is over when another window is listed", () => {
    expect(isContested(shown(slot, 16_384), NOW)).toBe(false);
  });

  test("is over with a warm reply, and the next begins anew", () => {
    expect(keptIn(2000, 2000, 20).contest).toBeNull();
    expect(keptIn(2000, 2000, 20, 2000).contest).toMatchObject({ times: 1, numCtx: 8192 });
  });

  test("is not waited for while a reload of our own is on its way, or a person pinned the window", () => {
    const call = facts(20_000);
    expect(isContested(afterDecision(slot, decided(slot, call), NOW), NOW)).toBe(false);
    expect(isContested({ ...slot, known: { ...slot.known, pinnedNumCtx: 8192 } }, NOW)).toBe(false);
  });
});

test("a reply that unloads its model (keep_alive 0) begins none: nothing will be listed, and nobody loads", () => {
  const slot = loadedWith(8192, { known });
  const call = facts(3000);
  const answer = { loadMs: 2000, unloads: true };
  expect(answered(slot, call, decided(slot, call), reply(3000, answer)).slot.contest).toBeNull();
});

test("a warm reply begins none", () => {
  expect(keptIn(20).contest).toBeNull();
});

describe("a load of our own", () => {
  const grownIn = (loadMs: number) => {
    const slot = loadedWith(8192, { known });
    const call = facts(20_000);
    const decision = decided(slot, call);
    return answered(afterDecision(slot, decision, NOW), call, decision, reply(20_000, { loadMs }));
  };

  test("is none of another program's, if it took what a load takes", () => {
    expect(grownIn(2900).outcome.reloaded).toBe(true);
    expect(grownIn(2900).slot.contest).toBeNull();
  });

  test("into an empty server is waited for once, and not again when nobody came", () => {
    const loadedIn = (slot: SlotState, loadMs: number) =>
      answered(slot, facts(3000), decided(slot, facts(3000)), reply(3000, { loadMs })).slot;
    const first = shown(loadedIn(slotWith({ known }), 4000), null);
    expect(isContested(first, NOW)).toBe(true);
    const vain = afterWaiting(first);
    expect(isContested(vain, NOW)).toBe(false);
    expect(isContested(shown(loadedIn(vain, 4000), null), NOW)).toBe(false);
    // A kept window that was loaded all the same is somebody's doing.
    const kept = loadedIn({ ...vain, loaded: loadedState(8192), options: { num_ctx: 8192 } }, 4000);
    expect(isContested(kept, NOW)).toBe(true);
    expect(afterWaiting(kept)).toBe(kept);
  });

  test("that took as long as two waited for another program's", () => {
    expect(grownIn(4000).slot.contest).toMatchObject({ times: 1 });
  });
});

import { expect, test } from "vitest";
import { profileChange, slotFromProfile, withProfile } from "../../src/optimizer/profile.js";
import { loadedWith, NOW, slotWith } from "./situation.js";

const identity = { serverId: "server", blob: "blob", trainedNumCtx: 8192 };

test("what is saved comes back at the next start", () => {
  const known = {
    loadMs: [3000],
    warmLoadMs: [20],
    recentNeeds: [900],
    largestNeeds: [900],
    ceilings: [{ numCtx: 8192, at: new Date(NOW).toISOString(), loadedBytes: 5 }],
    memory: [{ numCtx: 4096, numBatch: null, sizeBytes: 5, vramBytes: 5 }],
    sawVram: true,
    refusesOverflow: true,
    unspilledTokensPerSecond: 50,
  };
  const slot = loadedWith(4096, { options: { num_ctx: 4096, num_batch: 64 }, known });
  const change = profileChange(slot, NOW, { calls: 7, spillCostMs: 12 });
  const { ceilings } = known;
  const again = slotFromProfile(identity, { ...change, ceilings });
  expect(again.options).toEqual({ num_ctx: 4096, num_batch: 64 });
  expect(again.loaded).toBeNull();
  expect(again.known).toEqual({ ...slot.known, calls: 7, spillCostMs: 12 });
});

test("a profile that holds nothing but a pin is enough", () => {
  const slot = slotFromProfile(identity, { pinnedNumCtx: 2048, counts: {} });
  expect(slot.known).toMatchObject({ pinnedNumCtx: 2048, calls: 0, recentNeeds: [], refusesOverflow: null });
  expect(slot.options).toEqual({});
});

test("the trained window of the server wins over the remembered one", () => {
  const remembered = { trainedNumCtx: 4096, counts: {} };
  expect(slotFromProfile(identity, remembered).trainedNumCtx).toBe(8192);
  expect(slotFromProfile({ ...identity, trainedNumCtx: null }, remembered).trainedNumCtx).toBe(4096);
});

test("what other programs learned is taken over, what is loaded is not touched", () => {
  const slot = loadedWith(4096, { known: { recentNeeds: [1] } });
  const next = withProfile(slot, {
    recentNeeds: [2],
    lastOptions: { num_ctx: 9 },
    counts: { spillCostMs: -3 },
  });
  expect(next.known).toMatchObject({ recentNeeds: [2], spillCostMs: 0 });
  expect(next).toMatchObject({ options: { num_ctx: 4096 }, loaded: slot.loaded });
});

test("what a runner was started with by another program is taken over with its window, while it is loaded", () => {
  const profile = { lastOptions: { num_ctx: 4096, num_batch: 128 }, counts: {} };
  const slot = loadedWith(4096);
  expect(withProfile(slot, profile).options).toEqual(profile.lastOptions);
  expect(withProfile(loadedWith(8192), profile).options).toEqual({ num_ctx: 8192 });
  expect(withProfile(slotWith({}), profile).options).toEqual({});
  const pending = { options: { num_ctx: 8192 }, since: NOW, calls: 1 };
  expect(withProfile({ ...slot, pending }, profile).options).toEqual({ num_ctx: 4096 });
});

test("ceilings are saved by who changes them: another program may have met one meanwhile", () => {
  expect(profileChange(slotWith({}), NOW, {})).not.toHaveProperty("ceilings");
});

test("a slot without a profile knows nothing", () => {
  expect(slotFromProfile(identity).known).toEqual(slotWith({}).known);
});

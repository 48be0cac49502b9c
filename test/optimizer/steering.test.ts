import { describe, expect, test } from "vitest";
import { decided, facts, loadedWith, slotWith } from "./situation.js";

const steering = (fields: object) => ({ known: { steering: fields } });

describe("what is asked of the next load", () => {
  test("a largest window takes the margin away, and what recent calls needed, but never the need", () => {
    const known = { recentNeeds: [30_000, 30_000], largestNeeds: [30_000, 20_000] };
    const limited = { known: { ...known, steering: { maximumNumCtx: 8_192 } } };

    expect(decided(slotWith({ known }), facts(3_000)).options.num_ctx).toBeGreaterThan(30_000);
    expect(decided(slotWith(limited), facts(3_000)).options.num_ctx).toBe(8_192);
    expect(decided(slotWith(limited), facts(19_000)).options.num_ctx).toBeGreaterThanOrEqual(20_000);
  });

  test("a larger window that is loaded is kept, as only a load is limited", () => {
    expect(decided(loadedWith(32_768, steering({ maximumNumCtx: 8_192 })), facts(3_000))).toMatchObject({
      action: "keep",
      options: { num_ctx: 32_768 },
    });
  });

  test("a largest batch holds where a load is due, below what was measured as the best", () => {
    const batches = [
      { numBatch: 256, promptTokensPerSecond: 500, sizeBytes: null },
      { numBatch: 512, promptTokensPerSecond: 900, sizeBytes: null },
    ];

    expect(decided(slotWith(steering({ maximumNumBatch: 128 })), facts(3_000)).options.num_batch).toBe(128);
    expect(
      decided(slotWith({ known: { batches, steering: { maximumNumBatch: 256 } } }), facts(3_000)).options,
    ).toMatchObject({ num_batch: 256 });
    expect(decided(loadedWith(8_192, steering({ maximumNumBatch: 128 })), facts(3_000)).options).toEqual({
      num_ctx: 8_192,
    });
  });

  test("a batch and a window of the user's own stand", () => {
    const slot = slotWith(steering({ maximumNumCtx: 4_096, maximumNumBatch: 128 }));
    const explicit = { num_ctx: 16_384, num_batch: 1_024 };

    expect(decided(slot, facts(3_000, { explicit })).options).toMatchObject(explicit);
  });

  test("how long the model stays loaded goes with every decided call", () => {
    expect(
      decided(loadedWith(8_192, steering({ keepAliveSeconds: 600 })), facts(3_000)).keepAliveSeconds,
    ).toBe(600);
    expect(decided(loadedWith(8_192), facts(3_000)).keepAliveSeconds).toBeUndefined();
  });
});

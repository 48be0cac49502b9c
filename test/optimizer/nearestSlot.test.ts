import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { nearestSlot } from "../../src/optimizer/fingerprintTable.js";
import { scannedMemory } from "../../src/optimizer/nearestSlot.js";

/** Few distinct bits, so that some are near; of two groups. */
const slots = fc.array(
  fc.record({ words: fc.array(fc.nat(0xff), { minLength: 4, maxLength: 4 }), group: fc.nat(1) }),
  { maxLength: 40 },
);

describe("the scan in WebAssembly", () => {
  it("finds what the one in JavaScript finds", () => {
    const { buffer, nearest } = scannedMemory(16 + 40 * 20)!;
    const all = new Int32Array(buffer);
    fc.assert(
      fc.property(
        slots,
        fc.array(fc.integer(), { minLength: 4, maxLength: 4 }),
        fc.nat(129),
        fc.boolean(),
        (rows, any, below, isNear) => {
          const query = isNear ? any.map((word) => word & 0xff) : any;
          all.set(query);
          for (const [slot, { words, group }] of rows.entries()) {
            all.set(words, 4 + 4 * slot);
            all[164 + slot] = group;
          }
          const found = nearest(16, 4 * 164, rows.length, 0, 1, below);
          const table = Int32Array.from(rows.flatMap(({ words }) => words));
          const groups = Int32Array.from(rows.map(({ group }) => group));
          expect(found).toBe(nearestSlot(table, groups, rows.length, Int32Array.from(query), 1, below, 4));
        },
      ),
      { numRuns: 500 },
    );
  });

  it("counts all bits of all words, signs too", () => {
    const { buffer, nearest } = scannedMemory(1)!;
    const all = new Int32Array(buffer);
    all.fill(-1, 4, 8);
    expect(nearest(16, 64, 1, 0, 0, 128)).toBe(-1);
    expect(nearest(16, 64, 1, 0, 0, 129)).toBe(0);
    all[7] = 0x7fffffff;
    expect(nearest(16, 64, 1, 0, 0, 128)).toBe(0);
  });

  it("is not there where the process has no WebAssembly", () => {
    const { WebAssembly: wasm } = globalThis as { WebAssembly?: unknown };
    try {
      (globalThis as { WebAssembly?: unknown }).WebAssembly = undefined;
      expect(scannedMemory(1)).toBeNull();
    } finally {
      (globalThis as { WebAssembly?: unknown }).WebAssembly = wasm;
    }
  });
});

import fc from "fast-check";
import { expect, test } from "vitest";
import { isSpilled, largestGood, nextWindow, type WindowLimit } from "../../src/calibration/windowSearch.js";
import { rungAtMost } from "../../src/optimizer/ladder.js";
import type { MemoryPoint } from "../../src/optimizer/memoryModel.js";

interface Machine {
  readonly trained: number | null;
  readonly baseBytes: number;
  readonly bytesPerToken: number;
  readonly vramBytes: number;
  readonly memoryBytes: number;
  /** null: nobody can see it. */
  readonly seesMemory: boolean;
}

/** Searches on a machine whose memory is linear in the window; says what was loaded and what was asked too much. */
function search(
  machine: Machine,
  first = 4096,
): { loaded: MemoryPoint[]; failed: number | null; limit: WindowLimit; overdrawn: boolean } {
  const sizeOf = (numCtx: number): number => machine.baseBytes + machine.bytesPerToken * numCtx;
  const total = machine.vramBytes + machine.memoryBytes;
  const load = (numCtx: number): MemoryPoint => {
    const sizeBytes = sizeOf(numCtx);
    return { numCtx, numBatch: 256, sizeBytes, vramBytes: Math.min(sizeBytes, machine.vramBytes) };
  };
  const loaded = [load(first / 2), load(first)];
  let failed: number | null = null;
  let overdrawn = false;
  for (let steps = 0; steps < 60; steps++) {
    const inMemory = loaded.at(-1)!.sizeBytes - loaded.at(-1)!.vramBytes;
    const spareBytes = machine.seesMemory ? machine.memoryBytes - inMemory : null;
    const step = nextWindow({ loaded, failed, trainedNumCtx: machine.trained, spareBytes });
    if ("limit" in step) return { loaded, failed, limit: step.limit, overdrawn };
    if (sizeOf(step.numCtx) > total) {
      overdrawn = true;
      failed = Math.min(step.numCtx, failed ?? Number.POSITIVE_INFINITY);
    } else loaded.push(load(step.numCtx));
  }
  throw new Error("the search does not end");
}

const cpu: Machine = {
  trained: 131_072,
  baseBytes: 1e9,
  bytesPerToken: 100_000,
  vramBytes: 0,
  memoryBytes: 64e9,
  seesMemory: true,
};

test("with room for all of it, the trained window is reached by doubling", () => {
  const { loaded, limit } = search(cpu);
  expect(limit).toBe("trained");
  expect(loaded.map(({ numCtx }) => numCtx)).toEqual([2048, 4096, 8192, 16_384, 32_768, 65_536, 131_072]);
});

test("a window that memory cannot hold is never loaded, and the largest rung that fits is", () => {
  const { limit, overdrawn, loaded } = search({ ...cpu, memoryBytes: 5e9 });
  expect([limit, overdrawn]).toEqual(["freeMemory", false]);
  expect(largestGood(loaded)).toBe(rungAtMost(40_000));
});

test("without sight of the memory nothing larger is tried", () => {
  expect(search({ ...cpu, seesMemory: false })).toMatchObject({ limit: "unknownMemory", overdrawn: false });
});

test("where the GPU ends, the largest rung without a spill is found in a few loads", () => {
  const gpu = { ...cpu, vramBytes: 3e9 };
  const { loaded, limit } = search(gpu);
  expect(limit).toBe("spill");
  expect(largestGood(loaded)).toBe(rungAtMost(20_000));
  expect(loaded.length).toBeLessThanOrEqual(8);
});

test("a model that spills at the first window gets a smaller one", () => {
  const { loaded, limit } = search({ ...cpu, vramBytes: 1.15e9 });
  expect(limit).toBe("spill");
  expect(largestGood(loaded)).toBe(rungAtMost(1500));
});

test("out of memory lowers the window until a rung holds", () => {
  // The server's memory is smaller than what this machine seems to have free.
  let failed: number | null = null;
  const loaded: MemoryPoint[] = [2048, 4096].map((numCtx) => ({
    numCtx,
    numBatch: 256,
    sizeBytes: numCtx,
    vramBytes: 0,
  }));
  for (;;) {
    const step = nextWindow({ loaded, failed, trainedNumCtx: null, spareBytes: 1e12 });
    if ("limit" in step) {
      expect(step.limit).toBe("outOfMemory");
      break;
    }
    if (step.numCtx > 20_000) failed = Math.min(step.numCtx, failed ?? Number.POSITIVE_INFINITY);
    else loaded.push({ numCtx: step.numCtx, numBatch: 256, sizeBytes: step.numCtx, vramBytes: 0 });
  }
  expect(largestGood(loaded)).toBe(rungAtMost(20_000));
});

test("whatever the machine, the search ends, asks for no more than there is, and never passes the trained window", () => {
  const machines = fc.record({
    trained: fc.option(fc.integer({ min: 4096, max: 1_000_000 })),
    baseBytes: fc.integer({ min: 1, max: 1e10 }),
    bytesPerToken: fc.integer({ min: 1, max: 1e6 }),
    vramBytes: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 2e10 })),
    memoryBytes: fc.integer({ min: 0, max: 1e11 }),
    seesMemory: fc.constant(true),
  });
  fc.assert(
    fc.property(machines, (machine) => {
      // The first loads are not the search's.
      fc.pre(machine.baseBytes + 4096 * machine.bytesPerToken <= machine.vramBytes + machine.memoryBytes);
      fc.pre(machine.trained !== null || machine.bytesPerToken > 1000);
      const { loaded, overdrawn, limit } = search(machine);
      expect(overdrawn).toBe(false);
      for (const { numCtx } of loaded)
        expect(numCtx).toBeLessThanOrEqual(machine.trained ?? Number.POSITIVE_INFINITY);
      if (limit === "spill") expect(loaded.some(isSpilled)).toBe(true);
    }),
  );
});

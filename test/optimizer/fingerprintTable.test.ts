import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { PrefixFingerprints } from "../../src/optimizer/fingerprint.js";
import { FingerprintTable, popcount } from "../../src/optimizer/fingerprintTable.js";
import { seededRandom } from "./promptCorpus.js";

const words = (count: number): fc.Arbitrary<Int32Array> =>
  fc.array(fc.integer(), { minLength: count, maxLength: count }).map((array) => Int32Array.from(array));
const prints = (all: Int32Array, covered: number): PrefixFingerprints => ({
  words: all,
  covered,
  tokens: 99,
});
const flipped = (all: Int32Array, bits: number): Int32Array => {
  const copy = all.slice();
  for (let bit = 0; bit < bits; bit++) copy[bit >> 5]! ^= 1 << (bit & 31);
  return copy;
};

describe("popcount", () => {
  it("counts set bits of both words", () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer(), (a, b) => {
        const binary = (a >>> 0).toString(2) + (b >>> 0).toString(2);
        expect(popcount(a, b)).toBe(binary.replaceAll("0", "").length);
      }),
    );
    expect(popcount(-1, -1)).toBe(64);
  });
});

describe("FingerprintTable", () => {
  it("finds the nearest of a group, as a plain search does", () => {
    for (const wordCount of [2, 4]) {
      const random = seededRandom(wordCount);
      const table = new FingerprintTable(wordCount * 32, 1);
      // Few distinct bits, so that some are near.
      const rows = Array.from({ length: 300 }, () =>
        Int32Array.from({ length: wordCount }, () => Math.floor(random() * 2 ** 12)),
      );
      for (const [i, row] of rows.entries()) table.set(table.insert(i % 3, 0), 0, row, 0, 1);
      for (let k = 0; k < 200; k++) {
        const wanted = Int32Array.from({ length: wordCount }, () => Math.floor(random() * 2 ** 12));
        const distances = rows.map((row) => {
          let distance = 0;
          for (let w = 0; w < wordCount; w++) distance += popcount(row[w]! ^ wanted[w]!, 0);
          return distance;
        });
        const inGroup = distances.filter((_, i) => i % 3 === k % 3);
        const best = Math.min(...inGroup);
        const hit = table.nearest(k % 3, prints(wanted, 1), [best]);
        expect(hit).toMatchObject({ distance: best, window: 0 });
        expect(distances[hit!.slot]).toBe(best);
        expect(hit!.slot % 3).toBe(k % 3);
        expect(table.nearest(k % 3, prints(wanted, 1), [best - 1])).toBeNull();
      }
    }
  });

  it("prefers the largest window at which any is within the threshold", () => {
    const table = new FingerprintTable(64, 2);
    const zeros = new Int32Array(4);
    const slot = table.insert(0, 1);
    for (const window of [0, 1]) table.set(slot, window, zeros, window * 2, 1);
    const near = prints(Int32Array.of(0, 0, 0b1, 0), 2);
    const far = prints(Int32Array.of(0, 0, -1, 0), 2);
    expect(table.nearest(0, near, [3, 3])).toEqual({ slot, window: 1, distance: 1 });
    expect(table.nearest(0, far, [3, 3])).toEqual({ slot, window: 0, distance: 0 });
    expect(table.hit(slot, far, [3, 3])).toEqual({ slot, window: 0, distance: 0 });
    expect(table.nearest(0, far, [-1, 3])).toBeNull();
    expect(table.nearest(0, prints(new Int32Array(2), 1), [3, 3])?.window).toBe(0);
  });

  it("compares up to the working window, keeps one larger, and forgets the rest", () => {
    const table = new FingerprintTable(64, 4);
    const slot = table.insert(0, 3);
    const zeros = new Int32Array(8);
    for (const window of [0, 1, 2, 3]) table.set(slot, window, zeros, 0, 1);
    table.setWorking(slot, 1);
    expect([0, 1, 2, 3].map((window) => table.has(slot, window))).toEqual([true, true, true, false]);
    expect(table.nearest(0, prints(zeros, 4), [5, 5, 5, 5])?.window).toBe(1);
    table.setWorking(slot, 2);
    expect(table.nearest(0, prints(zeros, 4), [5, 5, 5, 5])?.window).toBe(2);
  });

  it("is the bitwise majority of what voted", () => {
    fc.assert(
      fc.property(fc.array(words(4), { minLength: 1, maxLength: 25 }), (voters) => {
        const table = new FingerprintTable(128, 1);
        const slot = table.insert(0, 0);
        table.set(slot, 0, voters[0]!, 0, 1);
        for (const voter of voters.slice(1)) table.vote(slot, 0, prints(voter, 1));
        for (let bit = 0; bit < 128; bit++) {
          const set = voters.filter((voter) => (voter[bit >> 5]! >>> (bit & 31)) & 1).length;
          if (2 * set === voters.length) continue;
          const majority = (table.read(slot, 0)[bit >> 5]! >>> (bit & 31)) & 1;
          expect(majority).toBe(2 * set > voters.length ? 1 : 0);
        }
      }),
    );
  });

  it("follows a template that changes for good, however long it was the same", () => {
    const table = new FingerprintTable(128, 1);
    const slot = table.insert(0, 0);
    const [before, after] = [new Int32Array(4), Int32Array.of(-1, 0, -1, 0)];
    table.set(slot, 0, before, 0, 1_000);
    for (let i = 0; i < 1_000; i++) table.vote(slot, 0, prints(before, 1));
    for (let i = 0; i < 32; i++) table.vote(slot, 0, prints(after, 1));
    expect(table.read(slot, 0)).toEqual(after);
  });

  it("keeps every other slot as it was when one is removed", () => {
    const table = new FingerprintTable(64, 2);
    const rows = Array.from({ length: 100 }, (_, i) => flipped(Int32Array.of(0, 0, -1, -1), i % 60));
    for (const [i, row] of rows.entries()) {
      const slot = table.insert(i, i % 2);
      for (let window = 0; window <= i % 2; window++) table.set(slot, window, row, window * 2, 1 + (i % 5));
    }
    const alive = rows.map((_, i) => i);
    const random = seededRandom(7);
    while (alive.length > 3) {
      const slot = Math.floor(random() * alive.length);
      table.remove(slot);
      const last = alive.pop()!;
      if (slot < alive.length) alive[slot] = last;
      expect(table.size).toBe(alive.length);
    }
    for (const [slot, i] of alive.entries()) {
      expect(table.group(slot)).toBe(i);
      expect(table.workingWindow(slot)).toBe(i % 2);
      expect(table.read(slot, 0)).toEqual(rows[i]!.slice(0, 2));
    }
  });
});

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Counts, StoredRecord } from "../../src/records.ts";
import { addCounts, mergeDocument, type StampedChange } from "../../src/storage/merge.ts";
import { time } from "../contract/records.ts";

/** Trees of one shape: a law about sums needs numbers where there are numbers. */
const counts: fc.Arbitrary<Counts> = fc.record(
  {
    calls: fc.integer({ min: -1000, max: 1000 }),
    votes: fc.array(fc.integer({ min: -9, max: 9 }), { maxLength: 5 }),
    tokens: fc.dictionary(fc.constantFrom("1", "2", "__proto__", "toString"), fc.nat(100)),
  },
  { requiredKeys: [] },
) as fc.Arbitrary<Counts>;

const change: fc.Arbitrary<StampedChange> = fc.record({
  id: fc.constant("d"),
  schemaVersion: fc.constant(1),
  updatedAt: fc.nat(50).map(time),
  createdAt: fc.nat(50).map(time),
  value: fc.integer(),
  counts,
});

const apply = (changes: readonly StampedChange[]) =>
  changes.reduce<StoredRecord | undefined>(mergeDocument, undefined) as StoredRecord;

describe("addCounts", () => {
  it("is associative and commutative", () => {
    fc.assert(
      fc.property(counts, counts, counts, (a, b, c) => {
        expect(addCounts(addCounts(a, b), c)).toEqual(addCounts(a, addCounts(b, c)));
        expect(addCounts(a, b)).toEqual(addCounts(b, a));
      }),
    );
  });

  it("changes neither of its arguments", () => {
    fc.assert(
      fc.property(counts, counts, (a, b) => {
        const before = JSON.stringify([a, b]);
        addCounts(a, b);
        expect(JSON.stringify([a, b])).toBe(before);
      }),
    );
  });

  it("keeps the left one where the shapes differ", () => {
    expect(addCounts({ a: 1, b: [1], c: { d: 1 } }, { a: [1], b: { d: 1 }, c: 1 })).toEqual({
      a: 1,
      b: [1],
      c: { d: 1 },
    });
  });

  it("treats __proto__ as a name like any other", () => {
    const odd = JSON.parse('{"__proto__": {"polluted": 1}}') as Counts;
    expect(Object.entries(addCounts(odd, odd))).toEqual([["__proto__", { polluted: 2 }]]);
    expect(({} as { polluted?: number }).polluted).toBeUndefined();
  });
});

describe("mergeDocument", () => {
  it("gives the same counts and times in every order", () => {
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 6 }), fc.nat(), (changes, seed) => {
        const turned = [
          ...changes.slice(seed % changes.length),
          ...changes.slice(0, seed % changes.length),
        ].reverse();
        const [one, other] = [apply(changes), apply(turned)];
        expect(one.counts).toEqual(other.counts);
        expect([one.createdAt, one.updatedAt]).toEqual([other.createdAt, other.updatedAt]);
        expect(one.updatedAt).toBe(
          changes
            .map(({ updatedAt }) => updatedAt)
            .sort()
            .at(-1),
        );
      }),
    );
  });

  it("has the fields of a change with the latest time", () => {
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 6 }), (changes) => {
        const merged = apply(changes) as StoredRecord & { value: number };
        const latest = changes.filter(({ updatedAt }) => updatedAt === merged.updatedAt);
        expect(latest.map((each) => (each as unknown as { value: number }).value)).toContain(merged.value);
      }),
    );
  });

  it("makes nothing of a change that may not create", () => {
    expect(mergeDocument(undefined, { id: "d", schemaVersion: 1, updatedAt: time(0) })).toBeUndefined();
  });

  it("fills in what an older change alone has", () => {
    const older = { id: "d", schemaVersion: 1, updatedAt: time(1), a: 1, b: 1 };
    const newer = { id: "d", schemaVersion: 1, createdAt: time(2), updatedAt: time(2), counts: {}, b: 2 };
    expect(mergeDocument(newer, older)).toMatchObject({ a: 1, b: 2, updatedAt: time(2) });
  });
});

import fc from "fast-check";
import { expect, test } from "vitest";
import { editDistance, nearest } from "../../src/cli/nearest.js";

const word = fc.string({ maxLength: 12 });

test("the distance is 0 for equal words only, the same both ways, and no detour is shorter", () => {
  fc.assert(
    fc.property(word, word, word, (a, b, c) => {
      expect(editDistance(a, a)).toBe(0);
      if (a !== b) expect(editDistance(a, b)).toBeGreaterThan(0);
      expect(editDistance(a, b)).toBe(editDistance(b, a));
      expect(editDistance(a, c)).toBeLessThanOrEqual(editDistance(a, b) + editDistance(b, c));
    }),
  );
});

test("one letter left out, put in or replaced is forgiven", () => {
  const commands = ["serve", "doctor", "calibrate", "demo"];
  for (const typed of ["calibrat", "callibrate", "calibrade"])
    expect(nearest(typed, commands)).toBe("calibrate");
  expect(nearest("dmo", commands)).toBe("demo");
});

test("of two candidates the nearer one is suggested, of none nothing", () => {
  expect(nearest("--sore", ["--host", "--store"])).toBe("--store");
  expect(nearest("anything", [])).toBeUndefined();
});

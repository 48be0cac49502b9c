import { expect, test } from "vitest";
import { readFlags, readNumber } from "../../src/cli/flags.js";

const OPTIONS = { sort: { type: "string" }, json: { type: "boolean" } } as const;

test("a value may begin with a dash", () => {
  expect(readFlags(["--sort", "-total", "--json"], OPTIONS).values).toMatchObject({
    sort: "-total",
    json: true,
  });
});

test("a flag is no value of the flag before it", () => {
  expect(() => readFlags(["--sort", "--json"], OPTIONS)).toThrow(/--sort/);
  expect(() => readFlags(["--json", "-x"], OPTIONS)).toThrow(/-x/);
});

test("a number that has to be whole is refused in parts", () => {
  expect(readNumber("--limit", "3", { least: 0, most: 9, isWhole: true })).toBe(3);
  expect(() => readNumber("--limit", "1.5", { least: 0, most: 9, isWhole: true })).toThrow(
    /Give a whole number/,
  );
});

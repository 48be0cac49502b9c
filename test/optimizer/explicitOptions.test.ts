import { expect, test } from "vitest";
import { OptimizerError } from "../../src/errors.js";
import { conflicts, explicitOptions, sameOptions } from "../../src/optimizer/explicitOptions.js";

test("runner options are taken, everything else is left", () => {
  const all = { num_ctx: 8192, num_batch: 1, num_gpu: -1, main_gpu: 0, use_mmap: false, num_thread: 0 };
  expect(explicitOptions({ ...all, temperature: 0, num_predict: -1 })).toEqual(all);
  expect(explicitOptions({ num_ctx: undefined })).toEqual({});
});

test.each([
  ["num_ctx", 0],
  ["num_ctx", -1],
  ["num_ctx", null],
  ["num_ctx", Number.NaN],
  ["num_ctx", 4096.5],
  ["num_ctx", Number.POSITIVE_INFINITY],
  ["num_batch", 0],
  ["num_gpu", -2],
  ["main_gpu", -1],
  ["use_mmap", 1],
  ["num_thread", 1.5],
])("%s: %s is refused, naming both", (name, value) => {
  try {
    explicitOptions({ [name]: value });
    expect.unreachable();
  } catch (error) {
    expect(OptimizerError.isInstance(error)).toBe(true);
    expect((error as OptimizerError).code).toBe("OPTION_INVALID");
    expect((error as OptimizerError).message).toContain(`${name} is ${value}`);
    expect((error as OptimizerError).remedy).toContain("leave it out");
  }
});

test("text is refused without being repeated, since it may be anything", () => {
  expect(() => explicitOptions({ num_ctx: "my secret" })).toThrow("num_ctx is text of 9 characters");
});

test("options are the same when every field is, present or absent", () => {
  expect(sameOptions({ num_ctx: 1, num_batch: 2 }, { num_batch: 2, num_ctx: 1 })).toBe(true);
  expect(sameOptions({ num_ctx: 1, num_batch: 2 }, { num_ctx: 1 })).toBe(false);
  expect(sameOptions({}, { use_mmap: false })).toBe(false);
});

test("an explicit option that the runner was not started with is a conflict", () => {
  expect(conflicts({ num_batch: 256 }, { num_ctx: 4096 })).toBe(true);
  expect(conflicts({ num_batch: 256 }, { num_ctx: 4096, num_batch: 256 })).toBe(false);
  expect(conflicts({ num_ctx: 9 }, { num_ctx: 4096 })).toBe(false);
  expect(conflicts({}, { num_batch: 256 })).toBe(false);
});

test("a negative num_gpu fits every runner, 0 does not", () => {
  expect(conflicts({ num_gpu: -1 }, { num_gpu: 20 })).toBe(false);
  expect(conflicts({ num_gpu: 0 }, {})).toBe(true);
});

import { expect, test } from "vitest";
import { OptimizerError } from "../../src/errors.js";
import {
  configuration,
  DEFAULT_CONFIGURATION,
  type TuningOptions,
} from "../../src/optimizer/configuration.js";

test("without options everything has its default", () => {
  expect(configuration()).toEqual(DEFAULT_CONFIGURATION);
  expect(configuration({ bits: undefined })).toEqual(DEFAULT_CONFIGURATION);
});

test("what is set is taken", () => {
  const set = {
    bits: 64,
    windows: [32, 64],
    shingle: 5,
    falseMatchRate: 0.01,
    thresholds: { 64: 3 },
  } as const;
  expect(configuration(set)).toEqual({ ...DEFAULT_CONFIGURATION, ...set });
});

test("an expected load moves the defaults, and what is set beside it wins", () => {
  const load = { uniqueTemplates: 20_000, dailyRequests: 100_000 };
  expect(configuration({ expectedLoad: load })).toMatchObject({
    maxTemplates: 40_000,
    falseMatchRate: 0.0001,
  });
  expect(configuration({ expectedLoad: load, maxTemplates: 50 }).maxTemplates).toBe(50);
  expect(configuration({ expectedLoad: { uniqueTemplates: 10, dailyRequests: 10 } })).toEqual(
    DEFAULT_CONFIGURATION,
  );
  expect(configuration({ expectedLoad: { uniqueTemplates: 1e9 } }).maxTemplates).toBe(1_000_000);
});

test("a maximum window below the default minimum lowers the minimum, below an explicit one it is an error", () => {
  expect(configuration({ maximumWindow: 2048 }).minimumWindow).toBe(2048);
  expect(() => configuration({ maximumWindow: 2048, minimumWindow: 4096 })).toThrow(
    /maximumWindow is 2048.*4096/,
  );
});

test.each([
  ["bufferMultiplier", 0.5],
  ["bufferMultiplier", 5],
  ["bufferMultiplier", Number.NaN],
  ["bufferMultiplier", "2"],
  ["outputReserve", 0],
  ["outputReserve", 1.5],
  ["thinkingReserve", -1],
  ["minimumWindow", 255],
  ["maximumWindow", 0],
  ["bits", 96],
  ["windows", []],
  ["windows", [128, 64]],
  ["windows", [64, 64]],
  ["windows", 64],
  ["shingle", 2],
  ["shingle", 6],
  ["falseMatchRate", 0],
  ["falseMatchRate", 0.2],
  ["thresholds", { 64: -1 }],
  ["thresholds", { 64: 25 }],
  ["windows", [4, 64]],
  ["windows", [64, 16_384]],
  ["windows", [8, 9, 10, 11, 12, 13, 14, 15]],
  ["thresholds", null],
  ["maxTemplates", 0],
  ["maxTemplates", 1_000_001],
  ["expectedLoad", { uniqueTemplate: 5 }],
  ["expectedLoad", { dailyRequests: -5 }],
  ["expectedLoad", null],
  ["bit", 64],
])("%s: %j is refused, naming the option", (name, value) => {
  try {
    configuration({ [name]: value } as TuningOptions);
    expect.unreachable();
  } catch (error) {
    expect(OptimizerError.isInstance(error)).toBe(true);
    expect((error as OptimizerError).code).toBe("OPTION_INVALID");
    expect((error as OptimizerError).message).toContain(`The tuning option ${name} is `);
    expect((error as OptimizerError).remedy).toMatch(/^Use .+\.$/);
  }
});

test("a list or text instead of an object is refused", () => {
  expect(() => configuration([] as TuningOptions)).toThrow(/object of tuning options/);
  expect(() => configuration("fast" as TuningOptions)).toThrow(/optimizer is fast/);
});

test("thresholds beyond what 64 bits can tell apart, or for a window that is none, are refused with the value", () => {
  const refused = (options: TuningOptions) => () => configuration(options);
  expect(refused({ bits: 64, thresholds: { 64: 13 } })).toThrow("thresholds[64] is 13");
  expect(refused({ thresholds: { 100: 3 } })).toThrow(
    "thresholds[100] is 3. Name one of the windows 64, 128",
  );
  expect(configuration({ bits: 64, thresholds: { 64: 12 } }).thresholds).toEqual({ 64: 12 });
  expect(configuration({ thresholds: { 1024: 24 } }).thresholds).toEqual({ 1024: 24 });
});

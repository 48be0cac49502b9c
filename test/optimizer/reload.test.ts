import { expect, test } from "vitest";
import { isReload } from "../../src/optimizer/reload.js";

test("a reload of the smallest model is told from the slowest warm call without any history", () => {
  // Measured: 13 MB reload in 258 ms; warm values reach 109 ms.
  expect(isReload(258, [], [])).toBe(true);
  expect(isReload(109, [], [])).toBe(false);
});

test("a slot's own median counts once it is known", () => {
  expect(isReload(180, [70, 72, 75], [])).toBe(true);
  expect(isReload(150, [70, 72, 75], [])).toBe(false);
  expect(isReload(150, [1, 2, 1], [])).toBe(true);
});

test("a delay of a busy machine is no reload", () => {
  expect(isReload(90, [1, 2, 1], [260])).toBe(false);
});

test("with known reloads the threshold lies between both groups", () => {
  // Geometric mean of 50 and 4000 = 447.
  expect(isReload(400, [50, 50, 50], [4000, 5000])).toBe(false);
  expect(isReload(500, [50, 50, 50], [4000, 5000])).toBe(true);
});

test("a warm call of a busy machine is no load while loads are known to take longer", () => {
  // Measured on 0.24.0 with all cores taken: warm calls of 210 to 600 ms, loads of 2 s and more.
  expect(isReload(600, [], [2_000])).toBe(false);
  expect(isReload(600, [250, 300], [2_000])).toBe(false);
  expect(isReload(1_500, [], [2_000])).toBe(true);
});

test("warm calls of a starved machine are no loads of a small model, however low its warm median", () => {
  // Measured on 0.24.0: SmolLM2 loads in 420 ms; warm calls of 40 ms took over 150 when others had both cores.
  expect(isReload(300, [40, 45, 50], [420])).toBe(false);
  expect(isReload(320, [40, 45, 50], [420])).toBe(true);
  // The first load came from a cold disk: a warm file loads in a tenth of that.
  expect(isReload(2_000, [50, 50, 50], [20_000])).toBe(true);
});

test("a runner that was just seen was not loaded anew, unless it took as long as a load", () => {
  expect(isReload(260, [], [300], 100)).toBe(false);
  expect(isReload(260, [], [], 100)).toBe(false);
  expect(isReload(301, [], [300], 100)).toBe(true);
  expect(isReload(260, [], [300], 60_000)).toBe(true);
  expect(isReload(260, [], [], 1_500)).toBe(true);
  expect(isReload(220, [], [300], 1_500)).toBe(false);
  expect(isReload(260, [], [300], 1_500)).toBe(true);
});

test("two warm values are no median yet", () => {
  expect(isReload(150, [1, 1], [])).toBe(false);
});

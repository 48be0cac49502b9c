import { expect, test } from "vitest";
import { configuration } from "../../src/optimizer/configuration.js";
import { outputReserve } from "../../src/optimizer/reserve.js";
import { config } from "./situation.js";

test("what the user set comes first, then the template, then the model", () => {
  const all = { numPredict: 300, requested: 400, templateP99: 500, modelP99: 600, thinks: false };
  expect(outputReserve(all, config)).toEqual({ tokens: 300, source: "numPredict" });
  expect(outputReserve({ ...all, numPredict: undefined }, config)).toEqual({
    tokens: 400,
    source: "requested",
  });
  const learned = { templateP99: 500.2, modelP99: 600, thinks: true };
  expect(outputReserve(learned, config)).toEqual({ tokens: 501, source: "template" });
  expect(outputReserve({ ...learned, templateP99: undefined }, config)).toEqual({
    tokens: 600,
    source: "model",
  });
});

test("a mere limit is kept free only where replies need more than it lets them have", () => {
  const limit = (numPredict: number, more: object = {}) =>
    outputReserve({ numPredict, isMereLimit: true, thinks: false, ...more }, config);
  expect(limit(16_384)).toEqual({ tokens: 1024, source: "default" });
  expect(limit(16_384, { templateP99: 5_000 })).toEqual({ tokens: 5_000, source: "template" });
  expect(limit(300, { templateP99: 5_000 })).toEqual({ tokens: 300, source: "numPredict" });
  expect(limit(-1)).toEqual({ tokens: 1024, source: "default" });
});

test("num_predict of 0 and below counts as unset", () => {
  for (const numPredict of [0, -1, -2]) {
    expect(outputReserve({ numPredict, requested: 0, thinks: false }, config)).toEqual({
      tokens: 1024,
      source: "default",
    });
  }
});

test("a model that thinks gets more room while nothing is known", () => {
  expect(outputReserve({ thinks: true }, config).tokens).toBe(4096);
});

test("an embedding has no reply", () => {
  expect(outputReserve({ numPredict: 5, thinks: true, isEmbedding: true }, config)).toEqual({
    tokens: 0,
    source: "none",
  });
});

test("the buffer multiplier widens what was learned, not what the user set", () => {
  const wide = configuration({ bufferMultiplier: 1.5 });
  expect(outputReserve({ templateP99: 100, thinks: false }, wide).tokens).toBe(150);
  expect(outputReserve({ numPredict: 100, thinks: false }, wide).tokens).toBe(100);
  expect(outputReserve({ templateP99: 0, thinks: false }, wide).tokens).toBe(1);
});

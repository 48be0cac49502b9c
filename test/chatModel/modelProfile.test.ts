import { expect, test } from "vitest";
import { modelProfile } from "../../src/chatModel/modelProfile.js";

const facts = {
  trainedNumCtx: 40_960,
  loadedNumCtx: 4096,
  capabilities: ["completion", "tools", "thinking"],
};
const limits = { numCtx: undefined, numPredict: undefined, optimize: true, maximumWindow: null } as const;

test("nothing is invented before anything is known", () => {
  expect(modelProfile(undefined, limits)).toEqual({});
});

test.each([
  ["the trained window", {}, 40_960],
  ["the largest permitted one", { maximumWindow: 16_384 }, 16_384],
  ["never more than the trained one", { maximumWindow: 1_000_000 }, 40_960],
  ["the user's own, if set", { numCtx: 8192 }, 8192],
  ["the loaded one when nothing grows it", { optimize: false }, 4096],
  ["the loaded one when only commands grow it", { optimize: "command" }, 4096],
] as const)("the input limit is %s", (_, changed, expected) => {
  expect(modelProfile(facts, { ...limits, ...changed }).maxInputTokens).toBe(expected);
});

test("abilities are the model's", () => {
  expect(modelProfile(facts, { ...limits, numPredict: 300 })).toMatchObject({
    toolCalling: true,
    reasoningOutput: true,
    imageInputs: false,
    maxOutputTokens: 300,
  });
});

test("no limit of output when numPredict says unlimited", () => {
  expect(modelProfile(facts, { ...limits, numPredict: -1 })).not.toHaveProperty("maxOutputTokens");
});

test("what is unknown is left out", () => {
  const unknown = { ...facts, trainedNumCtx: null, loadedNumCtx: null };
  expect(modelProfile(unknown, limits)).not.toHaveProperty("maxInputTokens");
  expect(modelProfile(unknown, { ...limits, optimize: false })).not.toHaveProperty("maxInputTokens");
});

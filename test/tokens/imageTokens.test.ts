import { expect, test } from "vitest";
import { tokensPerImage } from "../../src/tokens/imageTokens.js";

test.each([
  [{}, 1_536],
  [{ "general.architecture": "llama" }, 1_536],
  [{ "general.architecture": "constructor" }, 1_536],
  [{ "general.architecture": "gemma3" }, 264],
  [{ "general.architecture": "gemma3", "gemma3.mm.tokens_per_image": 1_024 }, 1_032],
  [{ "general.architecture": "gemma3", "gemma3.mm.tokens_per_image": "256" }, 264],
  [{ "general.architecture": "qwen3vl" }, 4_104],
  [{ "general.architecture": "mistral3" }, 3_088],
])("an image in a model of %j counts as %i tokens", (modelInfo, tokens) => {
  expect(tokensPerImage(modelInfo)).toBe(tokens);
});

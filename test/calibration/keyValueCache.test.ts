import { expect, test } from "vitest";
import { cacheBytesPerToken, maskBytesPerToken } from "../../src/calibration/keyValueCache.js";

const llama3 = {
  "general.architecture": "llama",
  "llama.block_count": 32,
  "llama.embedding_length": 4096,
  "llama.attention.head_count": 32,
  "llama.attention.head_count_kv": 8,
};

test("Llama 3 8B takes 128 KiB a token in f16, 512 MiB at 4,096", () => {
  expect(cacheBytesPerToken(llama3)).toBe(131_072);
  expect(4096 * cacheBytesPerToken(llama3)!).toBe(512 * 2 ** 20);
});

test("a q8_0 cache takes 34 bytes for 32 values", () => {
  expect(cacheBytesPerToken(llama3, 34 / 32)).toBe((131_072 / 2) * (34 / 32));
});

test("lengths of keys and values of their own come before the shared one", () => {
  const facts = { ...llama3, "llama.attention.key_length": 64, "llama.attention.value_length": 32 };
  expect(cacheBytesPerToken(facts)).toBe(32 * 8 * (64 + 32) * 2);
});

test("what the formula does not cover is not guessed", () => {
  expect(cacheBytesPerToken(undefined)).toBeNull();
  expect(cacheBytesPerToken({ ...llama3, "llama.attention.head_count_kv": null })).toBeNull();
  expect(cacheBytesPerToken({ ...llama3, "llama.attention.sliding_window": 1024 })).toBeNull();
});

test("cache and mask are what real servers add for each token of window", () => {
  // Sizes in /api/ps of Ollama 0.34.0 at windows of 2,048 and 8,192: a model of 4 layers and SmolLM2-135M.
  const measured = [
    { perToken: 4224, cache: 4096, numBatch: 64 },
    { perToken: 8192, cache: 4096, numBatch: 2048 },
    { perToken: 23_552, cache: 23_040, numBatch: 256 },
    { perToken: 25_088, cache: 23_040, numBatch: 1024 },
  ];
  for (const { perToken, cache, numBatch } of measured) {
    expect(cache + maskBytesPerToken(numBatch)).toBe(perToken);
  }
});

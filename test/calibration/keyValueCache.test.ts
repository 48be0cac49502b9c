import { expect, test } from "vitest";
import { cacheBytesPerToken } from "../../src/calibration/keyValueCache.js";

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

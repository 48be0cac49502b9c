import { expect, test } from "vitest";
import { TokenizerPool } from "../../src/tokens/index.js";
import { showReply } from "./vocabularies.js";

test("a loaded tokenizer counts control tokens as such and remembers segments", async () => {
  await using pool = new TokenizerPool();
  await pool.load("sha256:a", async () => showReply("bytes"));
  const text = "<|im_start|>user\nhello hello<|im_end|>\n";
  expect(pool.countKnown("sha256:a", text)).toBeNull();
  const count = await pool.count("sha256:a", text);
  expect(pool.countKnown("sha256:a", text)).toBe(count);
  expect((await pool.encode("sha256:a", text)).length).toBe(count);
});

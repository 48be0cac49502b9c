/** Hashes prompts with a key of the store, so that a hash cannot be guessed back from likely prompts. */
import { createHmac, randomBytes } from "node:crypto";
import type { OptimizerStore } from "./store.js";

const KEY_ID = "prompt-hash-key";
const KEY_BYTES = 32;

/**
 * HMAC-SHA-256 with the store's key, which the first process that opens the store makes and all others take. Until
 * the key is known the answer is null.
 *
 * @returns hexadecimal
 * @example
 * const hash = promptHasher(store);
 * hash("Why is the sky blue?") // "6f0c..." once the store is ready, null before
 */
export function promptHasher(store: OptimizerStore): (text: string) => string | null {
  let key: string | null = null;
  void agreeOnKey(store).then(
    (agreed) => {
      key = agreed;
    },
    // The store says itself what is wrong with it; hashes stay null.
    () => {},
  );
  return (text) => (key === null ? null : createHmac("sha256", key).update(text).digest("hex"));
}

async function agreeOnKey(store: OptimizerStore): Promise<string | null> {
  await store.ready();
  const known = store.get("settings", KEY_ID)?.value;
  if (typeof known === "string") return known;
  const { value } = await store.create("settings", {
    id: KEY_ID,
    value: randomBytes(KEY_BYTES).toString("hex"),
  });
  return typeof value === "string" ? value : null;
}

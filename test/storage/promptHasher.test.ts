import { createHmac } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { openJsonStore } from "../../src/storage/json/openJsonStore.ts";
import { memoryStore } from "../../src/storage/memory.ts";
import { promptHasher } from "../../src/storage/promptHasher.ts";

describe("promptHasher", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "optimizer-store-"));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it("is an HMAC-SHA-256 with a key of 32 bytes that the store keeps, and null before the key is known", async () => {
    const store = memoryStore();
    const hash = promptHasher(store);
    expect(hash("hello")).toBeNull();
    await vi.waitFor(() => expect(hash("hello")).not.toBeNull(), 10_000);
    const key = store.get("settings", "prompt-hash-key")?.value as string;
    expect(key).toMatch(/^[0-9a-f]{64}$/);
    expect(hash("hello")).toBe(createHmac("sha256", key).update("hello").digest("hex"));
  });

  it("is the same in programs that start at once and later", async () => {
    const stores = [openJsonStore(folder), openJsonStore(folder), openJsonStore(folder)];
    const hashes = stores.map(promptHasher);
    await vi.waitFor(() => expect(hashes.map((hash) => hash("hello"))).not.toContain(null), 10_000);
    await Promise.all(stores.map((store) => store.close()));
    const later = openJsonStore(folder);
    const hash = promptHasher(later);
    await vi.waitFor(() => expect(hash("hello")).not.toBeNull(), 10_000);
    expect(new Set([...hashes, hash].map((each) => each("hello"))).size).toBe(1);
    await later.close();
  });
});

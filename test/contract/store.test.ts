import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openJsonStore } from "../../src/storage/json/openJsonStore.ts";
import { memoryStore } from "../../src/storage/memory.ts";
import { describeStoreContract } from "./storeContract.ts";

describeStoreContract("memory", {
  setUp: async () => {
    return { open: memoryStore, tearDown: async () => {} };
  },
});

describeStoreContract("a JSON folder", {
  setUp: async () => {
    const folder = await mkdtemp(join(tmpdir(), "optimizer-store-"));
    return {
      open: (options) => openJsonStore(folder, options),
      tearDown: () => rm(folder, { recursive: true, force: true }),
    };
  },
});

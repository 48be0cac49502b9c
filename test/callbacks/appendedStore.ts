import type { RequestRecord } from "../../src/records.js";
import type { OptimizerStore } from "../../src/storage/store.js";

/** A store that only appends: the one ability that callbacks use. Anything else fails the test. */
export function appendedStore(append?: (request: RequestRecord) => Promise<void>): {
  store: OptimizerStore;
  calls: RequestRecord[];
} {
  const calls: RequestRecord[] = [];
  const store = {
    location: "test",
    merge: () => Promise.reject(new Error("Callbacks only append")),
    append:
      append ??
      (async (request: RequestRecord) => {
        calls.push(request);
      }),
  } as unknown as OptimizerStore;
  return { store, calls };
}

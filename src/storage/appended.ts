/** Hears every request that this process appends to a store, whoever appends it: model, handler or server. */
import type { RequestRecord } from "../records.js";
import type { OptimizerStore } from "./store.js";

/** Called in the midst of a call's end, with the text that was asked to be kept: be quick, and do not throw. */
export type RequestListener = (request: RequestRecord) => void;

const heardBy = new WeakMap<OptimizerStore, Set<RequestListener>>();

/**
 * Calls a listener with each request that is appended from now on. Every store can be heard, also one that a
 * person wrote: its `append` is replaced by one that tells the listeners too. What a listener throws is dropped, as
 * nothing may fail a call.
 *
 * @returns ends it
 * @example
 * const stop = onAppend(store, (request) => console.log(request.model, request.totalMs));
 */
export function onAppend(store: OptimizerStore, listener: RequestListener): () => void {
  let listeners = heardBy.get(store);
  if (!listeners) {
    const all = new Set<RequestListener>();
    const append = store.append.bind(store);
    store.append = (request) => {
      const stored = append(request);
      for (const hear of all) {
        try {
          hear(request);
        } catch {
          // The request is stored, and its call goes on.
        }
      }
      return stored;
    };
    heardBy.set(store, all);
    listeners = all;
  }
  const added: RequestListener = (request) => listener(request);
  listeners.add(added);
  return () => void listeners.delete(added);
}

/** One engine per store, so that all models of the process share what is known of a server's slots. */
import { Engine } from "../engine/engine.js";
import type { Logger } from "../logger.js";
import type { OptimizerStore } from "../storage/store.js";

const engines = new WeakMap<OptimizerStore, Engine>();

/** The engine of a store; the first caller's logger stays. */
export function engineOf(store: OptimizerStore, logger: Logger | undefined): Engine {
  const existing = engines.get(store);
  if (existing) return existing;
  const engine = new Engine({ store, logger });
  engines.set(store, engine);
  return engine;
}

/** The store that an option names. */
export function storeOf(
  option: string | OptimizerStore | false | undefined,
  _logger: Logger | undefined,
): OptimizerStore {
  if (typeof option === "object") return option;
  throw new Error("not yet");
}

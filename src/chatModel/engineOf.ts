/** One engine per store, so that all models of the process share what is known of a server's slots. */
import { isAbsolute } from "node:path";
import { Engine } from "../engine/engine.js";
import type { Logger } from "../logger.js";
import type { OptimizerStore } from "../storage/store.js";

const engines = new WeakMap<OptimizerStore, Engine>();

/** The engine of a store; the first caller's logger stays. */
export function engineOf(store: OptimizerStore, logger: Logger | undefined): Engine {
  const existing = engines.get(store);
  if (existing) return existing;
  // A store in a folder of this machine keeps the tokenizers beside it.
  const tokenizerFolder = isAbsolute(store.location) ? store.location : null;
  const engine = new Engine({ store, logger, tokenizerFolder });
  engines.set(store, engine);
  return engine;
}

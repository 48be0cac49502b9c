/** From a `store` option to a store: one per folder and process, so that everything in the process shares it. */
import { resolve } from "node:path";
import { OptimizerError } from "../errors.js";
import type { Logger } from "../logger.js";
import { defaultStorePath, openDefaultStore } from "./defaultStore.js";
import { openJsonStore } from "./json/openJsonStore.js";
import { memoryStore } from "./memory.js";
import type { StoreOptions } from "./queuedStore.js";
import type { OptimizerStore } from "./store.js";

/** A folder, a store, or `false` for memory only; left out, the user's state folder (`defaultStorePath()`). */
export type StoreOption = string | OptimizerStore | false;

const opened = new Map<string, OptimizerStore>();
const IN_MEMORY = "memory";

/**
 * The store that an option names. A folder that is open already is not opened again; after `close()` it is.
 *
 * @throws OptimizerError `OPTION_INVALID`, and what `openJsonStore` throws
 * @example storeOf(false).location // "memory"
 */
export function storeOf(
  option?: StoreOption,
  logger?: Logger,
  { gatherMs }: Pick<StoreOptions, "gatherMs"> = {},
): OptimizerStore {
  // Text reaches a store only of calls that ask for it.
  const options = { logger, storeText: true, gatherMs };
  if (option === undefined) return once(defaultStorePath(), () => openDefaultStore(options));
  if (option === false) return once(IN_MEMORY, () => memoryStore(options));
  if (typeof option === "string" && /^(rediss?|postgres(ql)?):\/\//.test(option)) {
    throw new OptimizerError({
      code: "OPTION_INVALID",
      message: "store is the address of a server, where a folder or a store is wanted",
      remedy:
        "Give your client: redisStore(client) or postgresStore(client) of storage/redis or storage/postgres.",
    });
  }
  if (typeof option === "string" && option !== "") {
    const folder = resolve(option);
    return once(folder, () => openJsonStore(folder, options));
  }
  if (isStore(option)) return option;
  throw new OptimizerError({
    code: "OPTION_INVALID",
    message: `store is ${shown(option)}`,
    remedy: "Give a folder, a store, or false for memory only.",
  });
}

function once(key: string, open: () => OptimizerStore): OptimizerStore {
  const known = opened.get(key);
  if (known) return known;
  const store = open();
  const close = store.close.bind(store);
  store.close = async () => {
    opened.delete(key);
    await close();
  };
  opened.set(key, store);
  return store;
}

function isStore(option: unknown): option is OptimizerStore {
  return typeof option === "object" && option !== null && "append" in option && "merge" in option;
}

function shown(option: unknown): string {
  if (option === null || option === "") return JSON.stringify(option);
  return `of type ${typeof option}`;
}

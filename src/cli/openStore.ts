/** The store that a command works on. */
import type { Logger } from "../logger.js";
import { defaultStorePath } from "../storage/defaultStore.js";
import { openJsonStore } from "../storage/json/openJsonStore.js";
import type { OptimizerStore } from "../storage/store.js";
import { usageError } from "./command.js";

/**
 * What `--store` names, else `OPTIMIZER_STORE`, else the user's state folder.
 *
 * @throws OptimizerError `ARGUMENT_INVALID` for nothing, as of a variable that a script lacks: it would be the
 * folder that one is in
 */
export function storeFolder(
  flag: string | undefined,
  environment: Readonly<Record<string, string | undefined>>,
): string {
  if (flag?.trim() === "")
    throw usageError("--store is empty", "Name a folder or a server, or leave it out.");
  return flag ?? (environment.OPTIMIZER_STORE || defaultStorePath({ env: environment }));
}

/**
 * Opens a folder and reads it. Unlike a chat model, a command that cannot use its store fails: what it would print
 * or keep is there or nowhere.
 *
 * @throws OptimizerError `STORE_NEWER` and what else `openJsonStore` and `ready()` throw
 */
export async function openStore(folder: string, logger: Logger): Promise<OptimizerStore> {
  // Text is in an export only where somebody asked for it.
  const store = openJsonStore(folder, { logger, storeText: true });
  try {
    await store.ready();
    return store;
  } catch (error) {
    await store.close().catch(() => {});
    throw error;
  }
}

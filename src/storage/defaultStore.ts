/** Where the store is kept when nobody says: one folder for all programs of a person. */
import { homedir } from "node:os";
import { posix, win32 } from "node:path";
import { OptimizerError } from "../errors.js";
import { silentLogger } from "../logger.js";
import { type JsonStoreOptions, openJsonStore } from "./json/openJsonStore.js";
import { memoryStore } from "./memory.js";
import type { OptimizerStore } from "./store.js";

const NAME = "langchain-ollama-optimizer";

/** What decides the default folder. */
export interface StorePathContext {
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly platform?: NodeJS.Platform;
  readonly home?: string;
}

/**
 * The default folder: `$XDG_STATE_HOME` or `~/.local/state` (XDG Base Directory Specification 0.8),
 * `~/Library/Application Support` on macOS, `%LOCALAPPDATA%` on Windows, and in it one of this package's name.
 *
 * @example defaultStorePath({ env: { XDG_STATE_HOME: "/state" }, platform: "linux" }) // "/state/langchain-ollama-optimizer"
 */
export function defaultStorePath(context: StorePathContext = {}): string {
  const { env = process.env, platform = process.platform, home = homedir() } = context;
  // The specification: a relative path is to be ignored.
  if (env.XDG_STATE_HOME && posix.isAbsolute(env.XDG_STATE_HOME)) return posix.join(env.XDG_STATE_HOME, NAME);
  if (platform === "win32") return win32.join(env.LOCALAPPDATA || win32.join(home, "AppData", "Local"), NAME);
  if (platform === "darwin") return posix.join(home, "Library", "Application Support", NAME);
  return posix.join(home, ".local", "state", NAME);
}

/**
 * Opens the default store; where it cannot be used, one in memory, with one warning.
 *
 * @example const store = openDefaultStore({ logger: console });
 */
export function openDefaultStore(
  options: JsonStoreOptions = {},
  context: StorePathContext = {},
): OptimizerStore {
  try {
    return openJsonStore(defaultStorePath(context), options);
  } catch (error) {
    if (!OptimizerError.isInstance(error)) throw error;
    (options.logger ?? silentLogger).warn(
      `${error.message} Until then nothing learned outlives this process.`,
    );
    return memoryStore(options);
  }
}

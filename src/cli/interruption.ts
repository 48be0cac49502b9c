/** Ctrl-C: the first one lets a command clean up, the second one ends it. */
import { EXIT } from "./command.js";

/** The slice of a process that is needed. */
export interface Signals {
  on(signal: "SIGINT" | "SIGTERM", listener: () => void): unknown;
}

/**
 * A signal that aborts when the user wants to stop.
 *
 * @param exit called for the second time that the user wants to
 */
export function interruption(source: Signals, exit: (code: number) => void): AbortSignal {
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    // Not `once`: signal-exit, by which locks of the store are released, ends a process in which it is the only one
    // that listens, before the command has cleaned up.
    source.on(signal, () => {
      if (stop.signal.aborted) exit(EXIT.interrupted);
      stop.abort();
    });
  }
  return stop.signal;
}

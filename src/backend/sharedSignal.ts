/** One signal of many calls at the same time. */
import { EventEmitter, getMaxListeners, setMaxListeners } from "node:events";

/** As many as Node's own fetch permits. */
const MOST_LISTENERS = 1_500;

/**
 * Says that many calls may listen to a signal at the same time, as those of one batch do: from the eleventh on Node
 * would print a warning of a leak. A limit that the signal's owner has set stays.
 */
export function expectListeners(signal: AbortSignal | undefined): void {
  if (!signal) return;
  try {
    if (getMaxListeners(signal) === EventEmitter.defaultMaxListeners) setMaxListeners(MOST_LISTENERS, signal);
  } catch {
    // Of another realm than Node's: it counts no listeners.
  }
}

/**
 * What counts as a reload. `load_duration` is never 0: a warm runner reports 1 to 109 ms by model, version and
 * load of the machine, a reload 260 ms for 13 MB and seconds for real models. So a reload is what stands far
 * above the slot's own median.
 */
import { median } from "./spill.js";

/** Where nothing is known: above every warm value and below every reload measured. */
const UNKNOWN_THRESHOLD_MS = 200;
/** A busy machine delays a warm call by this much. */
const JITTER_MS = 100;
/** Who saw the runner loaded so shortly before knows that nobody can have loaded another one since. */
const JUST_SEEN_MS = 250;
/** Within this, somebody must have loaded another window and back: that takes what a load takes. */
const SEEN_MS = 2_000;
/** A starved machine makes warm calls as slow as this; only a load known to be faster is told below it. */
const STARVED_MS = 400;
/** Loads of one window differ by less. */
const LOAD_SPREAD = 0.75;
/** The same where a load is least likely. */
const JUST_SEEN_SPREAD = 0.9;

/** At most this many reload prices and warm values are kept. */
export const RELOAD_PRICES = 16;
export const WARM_VALUES = 32;

/**
 * Whether a reply's `load_duration` shows that the model was loaded anew.
 *
 * @param loadMs the reply's, in ms
 * @param warmLoadMs values of this slot without a reload
 * @param reloadMs values of this slot with one
 * @param seenMs how long before the call `/api/ps` showed the very runner that the call was sent for; Infinity when
 *   it did not
 * @example isReload(260, [1, 2, 1], []) // true
 * @example isReload(260, [], [300], 100) // false
 */
export function isReload(
  loadMs: number,
  warmLoadMs: readonly number[],
  reloadMs: readonly number[],
  seenMs: number = Number.POSITIVE_INFINITY,
): boolean {
  const fastest = reloadMs.length > 0 ? Math.min(...reloadMs) : null;
  return loadMs > Math.max(thresholdMs(warmLoadMs, fastest), seenThresholdMs(seenMs, fastest));
}

/** A busy machine makes warm calls as slow as a load; they are none while the runner was in sight. */
function seenThresholdMs(seenMs: number, fastest: number | null): number {
  if (seenMs <= JUST_SEEN_MS) return fastest === null ? Number.POSITIVE_INFINITY : JUST_SEEN_SPREAD * fastest;
  return seenMs <= SEEN_MS && fastest !== null ? LOAD_SPREAD * fastest : 0;
}

function thresholdMs(warmLoadMs: readonly number[], fastest: number | null): number {
  const warm = warmLoadMs.length >= 3 ? median(warmLoadMs)! : null;
  if (warm === null) return Math.max(UNKNOWN_THRESHOLD_MS, (fastest ?? 0) / 2);
  // Between two known groups the geometric mean separates best; the fastest reload leaves no doubt above it.
  const between = fastest !== null && fastest > warm ? Math.sqrt(Math.max(warm, 1) * fastest) : 2 * warm;
  const starved = fastest === null ? 0 : Math.min(LOAD_SPREAD * fastest, STARVED_MS);
  return Math.max(between, warm + JITTER_MS, starved);
}

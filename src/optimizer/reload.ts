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

/** At most this many reload prices and warm values are kept. */
export const RELOAD_PRICES = 16;
export const WARM_VALUES = 32;

/**
 * Whether a reply's `load_duration` shows that the model was loaded anew.
 *
 * @param loadMs the reply's, in ms
 * @param warmLoadMs values of this slot without a reload
 * @param reloadMs values of this slot with one
 * @example isReload(260, [1, 2, 1], []) // true
 */
export function isReload(
  loadMs: number,
  warmLoadMs: readonly number[],
  reloadMs: readonly number[],
): boolean {
  return loadMs > reloadThresholdMs(warmLoadMs, reloadMs);
}

function reloadThresholdMs(warmLoadMs: readonly number[], reloadMs: readonly number[]): number {
  const warm = warmLoadMs.length >= 3 ? median(warmLoadMs)! : null;
  if (warm === null) return UNKNOWN_THRESHOLD_MS;
  // Between two known groups the geometric mean separates best; the fastest reload leaves no doubt above it.
  const fastest = reloadMs.length > 0 ? Math.min(...reloadMs) : null;
  const between = fastest !== null && fastest > warm ? Math.sqrt(Math.max(warm, 1) * fastest) : 2 * warm;
  return Math.max(between, warm + JITTER_MS);
}

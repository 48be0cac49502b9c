/**
 * The windows that are loaded by choice: 256-rounded steps of 2^(k/4). Few rungs mean few reloads; a quarter of
 * an octave wastes at most 19 % memory, a whole one up to 100 %. 256 because the engines pad the key-value cache
 * to it anyway, and compare the unpadded value: 436 and 500 are one size of memory and still a reload.
 */

/** Engines pad the window to this many tokens. */
export const WINDOW_STEP = 256;
const RUNGS_PER_OCTAVE = 4;

const rung = (index: number): number =>
  Math.max(1, Math.round(2 ** (index / RUNGS_PER_OCTAVE) / WINDOW_STEP)) * WINDOW_STEP;

/**
 * The smallest rung that holds `needTokens`, at most `limit`.
 *
 * @param needTokens prompt plus output reserve
 * @param limit largest window that may be loaded, e.g. the trained one; it is a rung itself, whatever its size
 * @returns tokens; `limit` when no rung is large enough (the caller decides what that means)
 * @example coveringRung(3000, 40960) // 3328
 * @example coveringRung(50000, 40960) // 40960
 */
export function coveringRung(needTokens: number, limit: number = Number.POSITIVE_INFINITY): number {
  // Start two rungs low: rounding to 256 may have lifted a smaller one over the need.
  let index = Math.max(0, Math.ceil(RUNGS_PER_OCTAVE * Math.log2(Math.max(needTokens, 1))) - 2);
  while (rung(index) < needTokens) index++;
  return Math.min(rung(index), limit);
}

/**
 * The largest rung that is no larger than a window.
 *
 * @returns tokens; 0 when there is none
 * @example rungAtMost(5000) // 4864
 */
export function rungAtMost(window: number): number {
  let index = Math.ceil(RUNGS_PER_OCTAVE * Math.log2(Math.max(window, 1))) + 2;
  while (index >= 0 && rung(index) > window) index--;
  return index < 0 ? 0 : rung(index);
}

/**
 * The largest rung strictly below a window.
 *
 * @example rungBelow(4096) // 3328
 */
export function rungBelow(window: number): number {
  return rungAtMost(Math.ceil(window) - 1);
}

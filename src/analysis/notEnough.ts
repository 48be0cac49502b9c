/** How a result says that there are too few data for it. */
import type { NotEnough } from "./types.js";

/** @example notEnough(7, 30).text // "not enough data (7 of 30)" */
export function notEnough(have: number, need: number): NotEnough {
  return { enough: false, have, need, text: `not enough data (${have} of ${need})` };
}

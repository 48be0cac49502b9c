/** How near two fingerprints must be so that unrelated prompts match as rarely as wanted. */

/**
 * Probability that one bit of two unrelated fingerprints differs. 0.5 for random texts; prompts share function
 * words and turns of phrase.
 */
export const UNRELATED_BIT_DIFFERS = 0.48;

/**
 * Probability of at most d differing bits between unrelated fingerprints, for d = 0 ... bits: the binomial
 * distribution function.
 *
 * @example unrelatedWithin(128)[64] // about 0.5
 */
export function unrelatedWithin(bits: number): Float64Array {
  const cumulative = new Float64Array(bits + 1);
  const odds = UNRELATED_BIT_DIFFERS / (1 - UNRELATED_BIT_DIFFERS);
  let term = (1 - UNRELATED_BIT_DIFFERS) ** bits;
  let sum = 0;
  for (let d = 0; d <= bits; d++) {
    sum += term;
    cumulative[d] = Math.min(1, sum);
    term *= (odds * (bits - d)) / (d + 1);
  }
  return cumulative;
}

/**
 * The largest Hamming distance at which an unrelated prompt matches any of `comparisons` fingerprints with at
 * most the probability `falseMatchRate` (Bonferroni: each comparison gets an equal part of it).
 *
 * @returns bits; -1 when not even equal fingerprints are rare enough
 * @example largestDistance(unrelatedWithin(128), 0.001, 10_000 * 5) // 31
 */
export function largestDistance(within: Float64Array, falseMatchRate: number, comparisons: number): number {
  const allowed = falseMatchRate / Math.max(1, comparisons);
  let distance = -1;
  while (distance + 1 < within.length && within[distance + 1]! <= allowed) distance++;
  return distance;
}

/** How near two fingerprints must be so that unrelated prompts match as rarely as wanted. */

/**
 * Probability that one bit of two unrelated fingerprints differs. It would be 0.5 for random texts, but prompts
 * share function words, turns of phrase and whole stock sentences, which makes the near tail heavier: between
 * 1,405 passages of package documentation the mean was 0.496 and the standard deviation 6.0 of 128 bits instead
 * of 5.66, and among 10,000 prompts of 120 words with stock sentences (`bench/templates.bench.ts`) the nearest
 * of an unrelated prompt lay within 26 bits for 2 in 10,000, within 28 for 10, within 31 for 40. A binomial of
 * 0.45 gives 26.
 */
export const UNRELATED_BIT_DIFFERS = 0.45;

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
 * @example largestDistance(unrelatedWithin(128), 0.001, 10_000 * 5) // 27
 */
export function largestDistance(within: Float64Array, falseMatchRate: number, comparisons: number): number {
  const allowed = falseMatchRate / Math.max(1, comparisons);
  let distance = -1;
  while (distance + 1 < within.length && within[distance + 1]! <= allowed) distance++;
  return distance;
}

/** What a few measurements say about a duration or a rate, and how sure that is. */

/** A positive quantity and its 95 % interval. */
export interface Estimate {
  readonly value: number;
  readonly low: number;
  /** Infinity when there is only one measurement. */
  readonly high: number;
  readonly samples: number;
}

/** Two-sided 95 % quantiles of Student's t for 1 to 15 degrees of freedom, then for 20, 30 and infinity. */
const T95 = [
  12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.16, 2.145, 2.131,
];

function t95(degrees: number): number {
  return T95[degrees - 1] ?? (degrees < 20 ? 2.131 : degrees < 30 ? 2.086 : 2.042);
}

/**
 * Geometric mean and its t interval on the logarithms: durations are skewed to the right, and so the interval never
 * reaches below 0.
 *
 * @param values > 0
 * @returns null without values
 * @example estimate([100, 110, 95, 105])?.value // 102.35
 */
export function estimate(values: readonly number[]): Estimate | null {
  const samples = values.length;
  if (samples === 0) return null;
  const logs = values.map(Math.log);
  const mean = logs.reduce((sum, log) => sum + log, 0) / samples;
  if (samples === 1) return { value: values[0]!, low: 0, high: Number.POSITIVE_INFINITY, samples };
  const variance = logs.reduce((sum, log) => sum + (log - mean) ** 2, 0) / (samples - 1);
  const half = t95(samples - 1) * Math.sqrt(variance / samples);
  return { value: Math.exp(mean), low: Math.exp(mean - half), high: Math.exp(mean + half), samples };
}

/**
 * How far the interval reaches from its value, as a share of it.
 *
 * @example relativeWidth({ value: 100, low: 95, high: 105, samples: 4 }) // 0.05
 */
export function relativeWidth({ value, low, high }: Estimate): number {
  return Math.max(high / value - 1, 1 - low / value);
}

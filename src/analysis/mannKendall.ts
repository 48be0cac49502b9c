/** Whether a series rises or falls with time: Mann (1945), Kendall (1975); its slope by Sen (1968). */
import { twoSidedP } from "./rankSum.js";

export interface Monotony {
  /** Two-sided p of the Mann-Kendall test, with the correction for ties. */
  readonly p: number;
  /** Median of all pairwise slopes: change of the value per unit of time. */
  readonly slope: number;
  /** Kendall's tau-a, -1 to 1. */
  readonly tau: number;
}

/**
 * Pairs are compared one by one: at most a few hundred values.
 *
 * @param times ascending, as long as `values`
 * @example monotony([0, 1, 2, 3], [5, 7, 9, 11]).slope // 2
 * @example monotony([0, 1, 2, 3], [5, 7, 9, 11]).tau // 1
 */
export function monotony(times: readonly number[], values: readonly number[]): Monotony {
  const n = values.length;
  const slopes: number[] = [];
  let score = 0;
  for (let j = 1; j < n; j++) {
    for (let i = 0; i < j; i++) {
      score += Math.sign(values[j]! - values[i]!);
      if (times[j]! > times[i]!) slopes.push((values[j]! - values[i]!) / (times[j]! - times[i]!));
    }
  }
  const counts = new Map<number, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  let ties = 0;
  for (const count of counts.values()) ties += count * (count - 1) * (2 * count + 5);
  const variance = (n * (n - 1) * (2 * n + 5) - ties) / 18;
  // One step towards 0: the correction for continuity.
  const z = variance > 0 ? (score - Math.sign(score)) / Math.sqrt(variance) : 0;
  const sorted = Float64Array.from(slopes).sort();
  const middle = sorted.length >> 1;
  const slope = sorted.length === 0 ? 0 : (sorted[(sorted.length - 1) >> 1]! + sorted[middle]!) / 2;
  return { p: twoSidedP(z), slope, tau: n > 1 ? score / ((n * (n - 1)) / 2) : 0 };
}

/**
 * Whether one sample lies above another: Wilcoxon (1945), Mann and Whitney (1947), normal approximation with midranks
 * and the correction for ties; van Elteren's (1960) sum over strata.
 */
import { errorFunction } from "simple-statistics";

/** The rank sum of the second sample, and what it would be by chance. */
export interface RankSum {
  readonly statistic: number;
  readonly expected: number;
  readonly variance: number;
  /** Values of both samples. */
  readonly count: number;
}

/**
 * @param before sorted ascending
 * @param after sorted ascending
 * @example
 * const { statistic, expected } = rankSum([1, 2, 3], [4, 5]);
 * statistic // 9
 * expected // 6
 */
export function rankSum(before: ArrayLike<number>, after: ArrayLike<number>): RankSum {
  const [m, n] = [before.length, after.length];
  let [i, j, rank, statistic, ties] = [0, 0, 0, 0, 0];
  while (i < m || j < n) {
    const value = i < m && (j >= n || before[i]! <= after[j]!) ? before[i]! : after[j]!;
    const [fromI, fromJ] = [i, j];
    while (i < m && before[i] === value) i++;
    while (j < n && after[j] === value) j++;
    const tied = i - fromI + (j - fromJ);
    statistic += (j - fromJ) * (rank + (tied + 1) / 2);
    rank += tied;
    ties += tied ** 3 - tied;
  }
  const count = m + n;
  const variance = count < 2 ? 0 : ((m * n) / 12) * (count + 1 - ties / (count * (count - 1)));
  return { statistic, expected: (n * (count + 1)) / 2, variance, count };
}

/** Two-sided p; 1 where all values are equal. */
export function rankSumP({
  statistic,
  expected,
  variance,
}: Pick<RankSum, "statistic" | "expected" | "variance">): number {
  return variance > 0 ? twoSidedP((statistic - expected) / Math.sqrt(variance)) : 1;
}

/** Strata together, each weighted by 1 / (its size + 1): another mixture of them is no difference. */
export function vanElterenP(strata: readonly RankSum[]): number {
  let [statistic, expected, variance] = [0, 0, 0];
  for (const stratum of strata) {
    const weight = 1 / (stratum.count + 1);
    statistic += weight * stratum.statistic;
    expected += weight * stratum.expected;
    variance += weight * weight * stratum.variance;
  }
  return rankSumP({ statistic, expected, variance });
}

/** The error function is good to 1.2e-7. */
const LEAST_P = 1e-7;

/** @example twoSidedP(1.96) // 0.05 */
export function twoSidedP(z: number): number {
  return Math.min(1, Math.max(LEAST_P, 1 - errorFunction(Math.abs(z) / Math.SQRT2)));
}

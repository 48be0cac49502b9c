/** Intervals for counts that vary at least as much as chance makes them. */
import { probit } from "simple-statistics";

/** From here on counts are as good as normal. */
const LARGE = 400;

/**
 * Quantile of a count with this mean and variance: negative binomial (gamma-Poisson), Poisson where the variance is
 * not above the mean.
 *
 * @param q 0..1
 * @example countQuantile(4, 4, 0.95) // 8
 * @example countQuantile(4, 12, 0.95) // 11
 */
export function countQuantile(mean: number, variance: number, q: number): number {
  if (mean <= 0) return 0;
  if (mean > LARGE) return Math.max(0, Math.round(mean + probit(q) * Math.sqrt(Math.max(variance, mean))));
  const isPoisson = variance <= 1.0001 * mean;
  const size = isPoisson ? Number.POSITIVE_INFINITY : (mean * mean) / (variance - mean);
  const success = isPoisson ? 1 : size / (size + mean);
  let probability = Math.exp(isPoisson ? -mean : size * Math.log(success));
  let sum = probability;
  let count = 0;
  while (sum < q && count < 1e5) {
    probability *= isPoisson ? mean / (count + 1) : ((size + count) / (count + 1)) * (1 - success);
    count++;
    sum += probability;
  }
  return count;
}

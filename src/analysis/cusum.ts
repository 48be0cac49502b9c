/**
 * CUSUM (Page 1954) of standardised values, both sides. The reference k is half the shift to be found, which is
 * Moustakides' (1986) optimum for it; the limit h follows from the run length that is wanted between false alarms.
 */

/** One value moves the sums by no more than this many standard deviations: an outlier is no new level. */
const MOST = 3;

/**
 * Limit h of a one-sided CUSUM of standard normal values whose mean run length without a change is `runLength`:
 * Siegmund's (1985) ARL = (exp(2kb) - 2kb - 1) / (2k²) with b = h + 1.166, solved by Newton's method.
 *
 * @param reference k > 0, in standard deviations
 * @param runLength calls between two false alarms
 * @example cusumLimit(0.5, 465) // 4.31
 */
export function cusumLimit(reference: number, runLength: number): number {
  const wanted = 2 * reference * reference * runLength;
  let x = Math.log(wanted + 1);
  for (let step = 0; step < 20; step++) {
    const power = Math.exp(x);
    const change = (power - x - 1 - wanted) / (power - 1);
    x -= change;
    if (Math.abs(change) < 1e-6) break;
  }
  return x / (2 * reference) - 1.166;
}

/** The two sums, and since when each has been above zero. */
export class Cusum {
  private high = 0;
  private low = 0;
  private highRun = 0;
  private lowRun = 0;

  /**
   * Takes in a value.
   *
   * @param z standard deviations from the level that is expected
   * @returns the side to which the level has changed, or 0; {@link run} and {@link score} tell more
   */
  push(z: number, reference: number, limit: number): 1 | -1 | 0 {
    const value = Math.max(-MOST, Math.min(MOST, z));
    this.high = Math.max(0, this.high + value - reference);
    this.low = Math.max(0, this.low - value - reference);
    this.highRun = this.high > 0 ? this.highRun + 1 : 0;
    this.lowRun = this.low > 0 ? this.lowRun + 1 : 0;
    return this.high > limit ? 1 : this.low > limit ? -1 : 0;
  }

  /** Values since the sum of that side was zero. */
  run(side: 1 | -1): number {
    return side > 0 ? this.highRun : this.lowRun;
  }

  score(side: 1 | -1): number {
    return side > 0 ? this.high : this.low;
  }

  /** A value that says nothing: only time goes on. */
  skip(): void {
    if (this.high > 0) this.highRun++;
    if (this.low > 0) this.lowRun++;
  }

  clear(): void {
    this.high = 0;
    this.low = 0;
    this.highRun = 0;
    this.lowRun = 0;
  }
}

/** What a benchmark gives, and how it is shown. */

export interface Figure {
  readonly what: string;
  readonly value: number;
  /** "" for ratios and counts. */
  readonly unit: string;
  /** The bar, where there is one. */
  readonly atMost?: number;
  readonly atLeast?: number;
}

export interface Benchmark {
  readonly title: string;
  /** @param options.short fewer repetitions, for CI: figures are rougher */
  run(options: { readonly short: boolean }): Promise<readonly Figure[]>;
}

export function isMet({ value, atMost, atLeast }: Figure): boolean {
  return value <= (atMost ?? Number.POSITIVE_INFINITY) && value >= (atLeast ?? Number.NEGATIVE_INFINITY);
}

export function shown(figure: Figure): string {
  const { what, value, unit, atMost, atLeast } = figure;
  const number = Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(3)));
  const bar = atMost !== undefined ? `at most ${atMost}` : atLeast !== undefined ? `at least ${atLeast}` : "";
  const verdict = bar && (isMet(figure) ? "met, " : "MISSED, ");
  return `  ${what.padEnd(74)} ${`${number} ${unit}`.trim().padStart(12)}  ${verdict}${bar}`.trimEnd();
}

/** Sorted durations of `work` in milliseconds. */
export function timed(times: number, work: (index: number) => void): number[] {
  const durations = Array.from({ length: times }, (_, index) => {
    const start = performance.now();
    work(index);
    return performance.now() - start;
  });
  return durations.sort((a, b) => a - b);
}

/** @param sorted ascending, not empty */
export function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.floor(share * (sorted.length - 1))]!;
}

export function median(values: readonly number[]): number {
  return quantile(
    [...values].sort((a, b) => a - b),
    0.5,
  );
}

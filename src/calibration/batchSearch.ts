/** Which batch sizes to measure, and which of them once more. Pure. */
import { type Estimate, relativeWidth } from "./estimate.js";

/** A batch size with its prompt rate, tokens per second. */
export interface MeasuredBatch {
  readonly numBatch: number;
  readonly rate: Estimate;
}

/** An interval that reaches no further from its value than this is narrow. */
export const NARROW = 0.05;
/** Wider than this, and the smallest batch within 10 % of the best may be any of them. */
const WIDE = 0.15;
/** What the optimizer lets a smaller batch cost. */
const TOLERATED_LOSS = 0.1;
const LEAST_BATCH = 64;
const LARGEST_BATCH = 2048;

/**
 * Powers of 2 that a prompt of this length can tell apart: a batch that holds the whole prompt works like any larger
 * one.
 *
 * @example candidateBatches(700) // [64, 128, 256, 512]
 */
export function candidateBatches(promptTokens: number): readonly number[] {
  const candidates: number[] = [];
  for (let batch = LEAST_BATCH; batch <= Math.min(promptTokens, LARGEST_BATCH); batch *= 2) {
    candidates.push(batch);
  }
  return candidates;
}

/**
 * The batches whose rate is too uncertain for what depends on it: the best one's, and those that may be within what
 * the optimizer tolerates. One that is certainly slower is measured no more.
 *
 * @example undecided([{ numBatch: 64, rate: { value: 50, low: 40, high: 60, samples: 2 } },
 *   { numBatch: 128, rate: { value: 100, low: 98, high: 102, samples: 4 } }]) // []
 */
export function undecided(batches: readonly MeasuredBatch[], narrow: number = NARROW): readonly number[] {
  const best = batches.toSorted((a, b) => b.rate.value - a.rate.value)[0];
  const worthwhile = (1 - TOLERATED_LOSS) * (best?.rate.low ?? 0);
  return batches
    .filter(({ rate }) => rate.high >= worthwhile && relativeWidth(rate) > narrow)
    .map(({ numBatch }) => numBatch);
}

/** Whether rates are sure enough to choose a batch by. */
export function isSure(batches: readonly MeasuredBatch[]): boolean {
  return batches.length > 1 && undecided(batches, WIDE).length === 0;
}

/** A loaded size by batch. */
export interface BatchSize {
  readonly numBatch: number;
  readonly sizeBytes: number;
}

/**
 * Bytes with a larger batch, by the line through the two largest measured: compute buffers are linear in the batch.
 *
 * @returns with fewer than two sizes: the largest measured, twice
 */
export function predictedBatchBytes(sizes: readonly BatchSize[], numBatch: number): number {
  const [larger, smaller] = sizes.toSorted((a, b) => b.numBatch - a.numBatch);
  if (!larger) return 0;
  if (!smaller) return 2 * larger.sizeBytes;
  const slope = (larger.sizeBytes - smaller.sizeBytes) / (larger.numBatch - smaller.numBatch);
  return larger.sizeBytes + Math.max(0, slope) * (numBatch - larger.numBatch);
}

/** What a calibration found, as plain data. */
import type { MemoryLine, MemoryPoint } from "../optimizer/memoryModel.js";
import { type MeasuredBatch, NARROW, undecided } from "./batchSearch.js";
import { type Estimate, relativeWidth } from "./estimate.js";
import type { WindowLimit } from "./windowSearch.js";

/** A batch size with everything that was measured of it. */
export interface CalibratedBatch extends MeasuredBatch {
  readonly sizeBytes: number;
}

/** What was found. Durations in milliseconds, memory in bytes, windows in tokens. */
export interface Calibration {
  readonly model: string;
  readonly digest: string;
  readonly blob: string;
  readonly trainedNumCtx: number | null;
  /** `load_duration` of all loads. */
  readonly loadMs: Estimate | null;
  readonly loads: readonly number[];
  readonly warmLoads: readonly number[];
  /** Length of the prompts that rates were measured with, tokens. */
  readonly promptTokens: number;
  readonly batches: readonly CalibratedBatch[];
  /** The smallest within 10 % of the best rate; null when fewer than two were measured. */
  readonly numBatch: number | null;
  /** Whether the rates are sure enough to decide by; if not, earlier evidence stands. */
  readonly isBatchSure: boolean;
  readonly memory: readonly MemoryPoint[];
  readonly line: MemoryLine | null;
  /** A window that the line had not seen: what it said, and what was true. */
  readonly check: {
    readonly numCtx: number;
    readonly predictedBytes: number;
    readonly measuredBytes: number;
  } | null;
  /** Bytes per token of window by the model's shape (f16 cache, and mask); null where the formula does not apply. */
  readonly formulaBytesPerToken: number | null;
  readonly largestWindow: { readonly numCtx: number; readonly limit: WindowLimit };
  /** The window that ran out of memory, and what other models took then. */
  readonly ceiling: { readonly numCtx: number; readonly otherBytes: number } | null;
  /** Times of a prompt, new and with its head cached, and the share of its time that is left then. */
  readonly prefixCache: {
    readonly coldMs: number;
    readonly warmMs: number;
    readonly leftShare: Estimate;
  } | null;
  /** What is not as sure as it should be, for people; empty when every interval is narrow. */
  readonly uncertain: readonly string[];
  /** Measurements thrown away: another program had loaded the model in between, or the reply lacked its figures. */
  readonly disturbed: number;
  /** Models that were loaded before and could not be loaded again. */
  readonly notRestored: readonly string[];
  readonly tookMs: number;
}

/** Times of loads vary more than rates. */
const NARROW_LOAD = 0.25;
/** Of what is left of a prompt's time, in shares of the whole. */
const NARROW_SHARE = 0.05;

/** Whether an interval of shares is narrow, whatever its value: 1 to 4 % left says enough. */
export function isShareNarrow({ low, high }: Estimate): boolean {
  return (high - low) / 2 <= NARROW_SHARE;
}

/**
 * What is not as sure as it should be, for people.
 *
 * @param candidates how many batches were to be measured
 * @returns empty when every interval is narrow
 */
export function uncertain(
  batches: readonly CalibratedBatch[],
  candidates: number,
  loadMs: Estimate | null,
  leftShare: Estimate | null,
): string[] {
  const percent = (width: number): string => (width > 9 ? "unknown" : `±${Math.round(100 * width)} %`);
  const rates = undecided(batches).map((numBatch) => {
    const { rate } = batches.find((batch) => batch.numBatch === numBatch)!;
    return `prompt rate with a batch of ${numBatch}: ${percent(relativeWidth(rate))}, wanted ${percent(NARROW)}`;
  });
  const loadWidth = loadMs ? relativeWidth(loadMs) : Number.POSITIVE_INFINITY;
  return [
    ...(batches.length < candidates
      ? [`prompt rate by batch: ${batches.length} of ${candidates} batches were measured`]
      : rates),
    ...(loadWidth > NARROW_LOAD ? [`load time: ${percent(loadWidth)}, wanted ${percent(NARROW_LOAD)}`] : []),
    ...(leftShare && isShareNarrow(leftShare) ? [] : ["what the prefix cache saves"]),
  ];
}

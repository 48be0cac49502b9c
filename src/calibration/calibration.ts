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
  readonly memory: readonly MemoryPoint[];
  readonly line: MemoryLine | null;
  /** A window that the line had not seen: what it said, and what was true. */
  readonly check: {
    readonly numCtx: number;
    readonly predictedBytes: number;
    readonly measuredBytes: number;
  } | null;
  /** Bytes of the f16 key-value cache per token by the model's shape; null where the formula does not apply. */
  readonly cacheBytesPerToken: number | null;
  readonly largestWindow: { readonly numCtx: number; readonly limit: WindowLimit };
  /** The window that ran out of memory, and what other models took then. */
  readonly ceiling: { readonly numCtx: number; readonly otherBytes: number } | null;
  /** How many times faster a prompt is read whose head is cached. */
  readonly prefixCache: { readonly coldMs: number; readonly warmMs: number; readonly gain: Estimate } | null;
  /** What is not as sure as it should be, for people; empty when every interval is narrow. */
  readonly uncertain: readonly string[];
  /** Measurements thrown away: another program had loaded the model in between, or the reply lacked its figures. */
  readonly disturbed: number;
  /** Models that were loaded before and could not be loaded again. */
  readonly notRestored: readonly string[];
  readonly tookMs: number;
}

/** Times of loads and of cached prompts vary more than rates. */
export const NARROW_TIME = 0.25;

/**
 * What is not as sure as it should be, for people.
 *
 * @returns empty when every interval is narrow
 */
export function uncertain(
  batches: readonly CalibratedBatch[],
  loadMs: Estimate | null,
  gain: Estimate | null,
): string[] {
  const percent = (width: number): string => (width > 9 ? "unknown" : `±${Math.round(100 * width)} %`);
  const wide = [
    ...(batches.length < 2 ? ["prompt rate by batch: fewer than two batches were measured"] : []),
    ...undecided(batches).map((numBatch) => {
      const { rate } = batches.find((batch) => batch.numBatch === numBatch)!;
      return `prompt rate with a batch of ${numBatch}: ${percent(relativeWidth(rate))}, wanted ${percent(NARROW)}`;
    }),
  ];
  for (const [what, value] of [
    ["load time", loadMs],
    ["gain of the prefix cache", gain],
  ] as const) {
    if (!value) wide.push(`${what}: not measured`);
    else if (relativeWidth(value) > NARROW_TIME) {
      wide.push(`${what}: ${percent(relativeWidth(value))}, wanted ${percent(NARROW_TIME)}`);
    }
  }
  return wide;
}

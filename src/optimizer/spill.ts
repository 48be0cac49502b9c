/**
 * Whether to end a spill by loading a smaller window: ski rental. Rent (the slower replies) is paid until it has
 * cost as much as buying (a reload) would, which is at most twice the price of the best choice in hindsight
 * (Karlin et al. 1988).
 */
import { coveringRung } from "./ladder.js";
import { type MemoryPoint, memoryLine, predictedBytes } from "./memoryModel.js";
import type { SlotState } from "./slotState.js";

/**
 * CPU time per layer against GPU time, where no unspilled rate was seen. A 3090 gave 35.9 tokens/s unspilled and
 * 22.8 with 88 % in GPU memory, which is a factor of 5.8; 5 errs towards keeping.
 */
const CPU_TO_GPU_TIME = 5;

/**
 * Share of the model outside GPU memory, 0 to 1. A server that never showed the slot in GPU memory is a CPU
 * machine: there is nothing to spill from.
 */
export function spilledShare(slot: Pick<SlotState, "loaded" | "known">): number {
  const { loaded, known } = slot;
  if (!loaded || loaded.numCtx === null || loaded.sizeBytes <= 0) return 0;
  if (loaded.vramBytes <= 0 && !known.sawVram) return 0;
  return Math.max(0, 1 - loaded.vramBytes / loaded.sizeBytes);
}

/**
 * What the spill cost one reply: its output time beyond that at the best unspilled rate.
 *
 * @param evalMs time of output in ms
 * @returns ms, >= 0
 */
export function spillCostMs(
  share: number,
  evalCount: number,
  evalMs: number,
  unspilledTokensPerSecond: number | null,
): number {
  if (share <= 0 || evalMs <= 0) return 0;
  if (unspilledTokensPerSecond !== null && unspilledTokensPerSecond > 0) {
    return Math.max(0, evalMs - (1000 * evalCount) / unspilledTokensPerSecond);
  }
  return evalMs * ((share * (CPU_TO_GPU_TIME - 1)) / (1 - share + share * CPU_TO_GPU_TIME));
}

/**
 * The window to shrink to, or null while keeping is right: the spill has cost less than a reload, or no smaller
 * window that still covers `neededWindow` would end it by the memory model.
 *
 * @param neededWindow tokens that recent calls and this one need
 * @returns tokens, a rung
 */
export function shrunkWindow(slot: SlotState, neededWindow: number, numBatch: number | null): number | null {
  const { loaded, known } = slot;
  const share = spilledShare(slot);
  if (share <= 0 || !loaded || loaded.numCtx === null) return null;
  const priceMs = median(known.loadMs);
  // The price is observed, never assumed.
  if (priceMs === null || known.spillCostMs <= priceMs) return null;
  const window = coveringRung(neededWindow);
  if (window >= loaded.numCtx) return null;
  const line = memoryLine(known.memory, numBatch);
  if (!line) return null;
  return predictedBytes(line, window) <= gpuBytes(known.memory, loaded.vramBytes) ? window : null;
}

/** GPU memory that this slot is known to have got: what it has now, or the most it had unspilled. */
function gpuBytes(points: readonly MemoryPoint[], vramBytes: number): number {
  return vramBytes > 0 ? vramBytes : Math.max(0, ...points.map((point) => point.vramBytes));
}

/** @example median([3, 1, 2]) // 2 */
export function median(values: readonly number[]): number | null {
  if (values.length === 0) return null;
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/**
 * The search for the largest window: doubling while memory surely holds the next one, then between the last that
 * was good and the first that was not. Pure.
 */
import { rungAtMost, rungBelow } from "../optimizer/ladder.js";
import { type MemoryPoint, memoryLine, predictedBytes } from "../optimizer/memoryModel.js";

/** Why no larger window was loaded. */
export type WindowLimit =
  /** The model was trained for no more. */
  | "trained"
  /** A larger one would lie in main memory in part. */
  | "spill"
  | "outOfMemory"
  /** A larger one would leave too little memory free; it was not tried. */
  | "freeMemory"
  /** How much is free cannot be seen, so nothing larger was tried. */
  | "unknownMemory"
  | "time";

export interface WindowSearch {
  /** Loads so far with one batch size, oldest first; at least one. */
  readonly loaded: readonly MemoryPoint[];
  /** The smallest window that ran out of memory. */
  readonly failed: number | null;
  readonly trainedNumCtx: number | null;
  /** Bytes that may be used beyond the load that is there now; null when nobody knows. */
  readonly spareBytes: number | null;
}

export type SearchStep = { readonly numCtx: number } | { readonly limit: WindowLimit };

/** Below this a window is of no use. */
const LEAST_WINDOW = 512;

export function isSpilled({ sizeBytes, vramBytes }: MemoryPoint): boolean {
  return vramBytes > 0 && vramBytes < sizeBytes;
}

/**
 * The largest window loaded without a spill.
 *
 * @returns tokens; 0 when all spilled
 */
export function largestGood(loaded: readonly MemoryPoint[]): number {
  return Math.max(0, ...loaded.filter((point) => !isSpilled(point)).map(({ numCtx }) => numCtx));
}

/** The next window to load, or why there is none. */
export function nextWindow(search: WindowSearch): SearchStep {
  const { loaded, failed } = search;
  const trained = search.trainedNumCtx ?? Number.POSITIVE_INFINITY;
  const good = largestGood(loaded);
  const spilled = Math.min(...loaded.filter(isSpilled).map(({ numCtx }) => numCtx));
  const bad = Math.min(spilled, failed ?? Number.POSITIVE_INFINITY);
  if (good >= trained) return { limit: "trained" };
  if (bad < Number.POSITIVE_INFINITY) {
    const numCtx = between(good, bad, search);
    if (numCtx > good && numCtx >= LEAST_WINDOW) return { numCtx };
    return { limit: bad === failed ? "outOfMemory" : "spill" };
  }
  return affordable(Math.min(2 * good, trained), good, search);
}

/** By the line, if its answer lies between; else the middle rung. Not larger than what is bad. */
function between(good: number, bad: number, { loaded }: WindowSearch): number {
  const line = memoryLine(loaded, loaded[0]!.numBatch);
  const gpuBytes = Math.max(...loaded.filter(isSpilled).map(({ vramBytes }) => vramBytes));
  const byLine = line && gpuBytes > 0 ? rungAtMost((gpuBytes - line.baseBytes) / line.bytesPerToken) : 0;
  if (byLine > good && byLine < bad) return byLine;
  const middle = rungAtMost(Math.sqrt(good * bad));
  return middle > good ? middle : rungBelow(bad);
}

function affordable(wanted: number, good: number, { loaded, spareBytes }: WindowSearch): SearchStep {
  if (spareBytes === null) return { limit: "unknownMemory" };
  const current = loaded.at(-1)!;
  const line = memoryLine(loaded, current.numBatch);
  // One point shows no slope; what grows with the window is at most the whole size.
  const wantedBytes = line ? predictedBytes(line, wanted) : (current.sizeBytes * wanted) / current.numCtx;
  if (wantedBytes - current.sizeBytes <= spareBytes) return { numCtx: wanted };
  if (!line || line.bytesPerToken <= 0) return { limit: "freeMemory" };
  const fitting = rungAtMost((current.sizeBytes + spareBytes - line.baseBytes) / line.bytesPerToken);
  return fitting > good && fitting < wanted ? { numCtx: fitting } : { limit: "freeMemory" };
}

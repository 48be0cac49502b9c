/** Memory as a function of the window, from measured points: KV cache and buffers are linear in it. */
import type { ProfileRecord } from "../records.js";
import { rungAtMost } from "./ladder.js";

export type MemoryPoint = ProfileRecord["memory"][number];
/** At most this many points are kept. */
const MAX_POINTS = 16;
/** Where no batch is set, Ollama takes 512 up to the first of these windows, 1,024 up to the second, then 2,048 (from 0.30). */
const OWN_BATCH_BOUNDS = [4_096, 32_768] as const;

/** Bytes = base + slope x window. */
export interface MemoryLine {
  readonly baseBytes: number;
  readonly bytesPerToken: number;
}

/**
 * Least-squares line through the points measured with one batch size. Two windows show the true slope, whatever
 * the KV type and the architecture, which Ollama's own predictor ignores. Without a batch (null) the server chooses,
 * and takes a larger one for larger windows: the line is that of the largest windows which share one.
 *
 * @returns null for fewer than two different windows, or a line that falls
 * @example memoryLine([{ numCtx: 4096, numBatch: null, sizeBytes: 5e9, vramBytes: 5e9 },
 *   { numCtx: 8192, numBatch: null, sizeBytes: 6e9, vramBytes: 6e9 }], null)?.bytesPerToken // 244140.625
 */
export function memoryLine(points: readonly MemoryPoint[], numBatch: number | null): MemoryLine | null {
  const same = ofOneBatch(points.filter((point) => point.numBatch === numBatch));
  if (same.length < 2) return null;
  const meanX = same.reduce((sum, point) => sum + point.numCtx, 0) / same.length;
  const meanY = same.reduce((sum, point) => sum + point.sizeBytes, 0) / same.length;
  let covariance = 0;
  let variance = 0;
  for (const point of same) {
    covariance += (point.numCtx - meanX) * (point.sizeBytes - meanY);
    variance += (point.numCtx - meanX) ** 2;
  }
  if (variance === 0 || covariance < 0) return null;
  const bytesPerToken = covariance / variance;
  return { baseBytes: meanY - bytesPerToken * meanX, bytesPerToken };
}

/** The points of the largest windows that one batch was taken for; all where none has two. */
function ofOneBatch(points: readonly MemoryPoint[]): readonly MemoryPoint[] {
  if (points[0]?.numBatch !== null) return points;
  const rangeOf = ({ numCtx }: MemoryPoint): number =>
    OWN_BATCH_BOUNDS.filter((bound) => numCtx > bound).length;
  const ranges = [2, 1, 0].map((range) => points.filter((point) => rangeOf(point) === range));
  return ranges.find((range) => new Set(range.map(({ numCtx }) => numCtx)).size > 1) ?? points;
}

/** Bytes that a window would take by the line. */
export function predictedBytes(line: MemoryLine, numCtx: number): number {
  return line.baseBytes + line.bytesPerToken * numCtx;
}

/** Points with a new one; the latest of each window and batch stays. */
export function withMemoryPoint(points: readonly MemoryPoint[], point: MemoryPoint): readonly MemoryPoint[] {
  const known = points.find((p) => p.numCtx === point.numCtx && p.numBatch === point.numBatch);
  if (known && known.sizeBytes === point.sizeBytes && known.vramBytes === point.vramBytes) return points;
  return [...points.filter((p) => p !== known), point].slice(-MAX_POINTS);
}

/**
 * The largest window known to stay in GPU memory: by the line, within the most that a spilled load got. Infinity
 * while no spill was seen or no line is known.
 */
export function unspilledLimit(points: readonly MemoryPoint[], numBatch: number | null): number {
  const spilled = points.filter((point) => point.vramBytes > 0 && point.vramBytes < point.sizeBytes);
  const line = spilled.length > 0 ? memoryLine(points, numBatch) : null;
  if (!line || line.bytesPerToken <= 0) return Number.POSITIVE_INFINITY;
  const gpuBytes = Math.max(...points.map((point) => point.vramBytes));
  return rungAtMost((gpuBytes - line.baseBytes) / line.bytesPerToken);
}

/** How much a loaded model takes and where it lies. */
import type { Generation } from "./generation.js";
import type { ServedModel } from "./model.js";
import { paddedWindow } from "./windows.js";

/** Bytes of a loaded model, and of it in GPU memory. */
export interface Placement {
  readonly sizeBytes: number;
  readonly vramBytes: number;
}

/** Weights, KV cache and compute buffer. Linear in window and batch, as measured on both generations. */
export function modelBytes(
  model: ServedModel,
  numCtx: number,
  numBatch: number,
  generation: Generation,
): number {
  return Math.round(
    model.weightBytes +
      model.kvBytesPerToken * paddedWindow(numCtx, generation) +
      model.computeBytesPerBatchToken * numBatch,
  );
}

/**
 * Fills GPU memory first and spills the rest, as llama.cpp does.
 *
 * @param free bytes that are free now
 * @returns null when it fits nowhere
 * @example place(10, { vramBytes: 6, memoryBytes: 100 }) // { sizeBytes: 10, vramBytes: 6 }
 */
export function place(
  sizeBytes: number,
  free: { readonly vramBytes: number; readonly memoryBytes: number },
): Placement | null {
  const vramBytes = Math.min(sizeBytes, Math.max(free.vramBytes, 0));
  return sizeBytes - vramBytes <= free.memoryBytes ? { sizeBytes, vramBytes } : null;
}

/** The words of each generation for a model that does not fit. */
export function outOfMemoryText(sizeBytes: number, availableBytes: number, generation: Generation): string {
  return generation.nestedContextError
    ? "llama-server reported out-of-memory during startup: failed to allocate compute buffers"
    : `model requires more system memory (${gibibytes(sizeBytes)}) than is available (${gibibytes(availableBytes)})`;
}

function gibibytes(bytes: number): string {
  return bytes >= 2 ** 30
    ? `${(bytes / 2 ** 30).toFixed(1)} GiB`
    : `${(Math.max(bytes, 0) / 2 ** 20).toFixed(1)} MiB`;
}

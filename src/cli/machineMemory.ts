/** Memory of this machine. */
import { freemem, totalmem } from "node:os";

export interface Memory {
  readonly freeBytes: number;
  readonly totalBytes: number;
}

/** What programs may still take, and all there is; within the limits of a container where Node tells (20.13). */
export function machineMemory(): Memory {
  const { availableMemory, constrainedMemory } = process as Partial<
    Pick<typeof process, "availableMemory" | "constrainedMemory">
  >;
  const limit = constrainedMemory?.() || Number.POSITIVE_INFINITY;
  return {
    freeBytes: Math.min(freemem(), availableMemory?.() ?? Number.POSITIVE_INFINITY),
    totalBytes: Math.min(totalmem(), limit),
  };
}

/** `num_batch`: left to Ollama, which since 0.30 chooses by window and memory, unless there is evidence. */
import type { ProfileRecord } from "../records.js";

export type BatchEvidence = ProfileRecord["batches"][number];
/** A smaller batch may cost this share of the best prompt rate. */
const TOLERATED_LOSS = 0.1;
/** Under memory pressure without evidence: half of Ollama's 512. On four K80s that ended a spill (1.94 to 6.86 tokens/s). */
const BATCH_UNDER_PRESSURE = 256;

/**
 * The batch for the next reload: the smallest whose prompt rate is within 10 % of the best. One measured batch is
 * no comparison, so it is no evidence.
 *
 * @returns undefined = leave it to Ollama
 * @example chooseBatch([{ numBatch: 256, promptTokensPerSecond: 950, sizeBytes: null },
 *   { numBatch: 512, promptTokensPerSecond: 1000, sizeBytes: null }], false) // 256
 */
export function chooseBatch(batches: readonly BatchEvidence[], memoryPressure: boolean): number | undefined {
  if (batches.length < 2) return memoryPressure ? BATCH_UNDER_PRESSURE : undefined;
  const best = Math.max(...batches.map((batch) => batch.promptTokensPerSecond));
  const good = batches.filter((batch) => batch.promptTokensPerSecond >= (1 - TOLERATED_LOSS) * best);
  return Math.min(...good.map((batch) => batch.numBatch));
}

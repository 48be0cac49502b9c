/** A calibration as the profile that decisions read. */
import { withCeiling, withoutDisproved } from "../optimizer/ceilings.js";
import { type PartialProfile, profileId } from "../optimizer/profile.js";
import { RELOAD_PRICES, WARM_VALUES } from "../optimizer/reload.js";
import type { ProfileRecord } from "../records.js";
import type { Change } from "../storage/store.js";
import type { Calibration } from "./calibration.js";

/**
 * The change to the profile of the calibrated slot. Batches (when they are sure) and memory points are replaced:
 * what was measured on purpose stands above what was picked up on the way. What is loaded now stays as it is, so the batch comes into
 * force with the next load.
 *
 * @param before the profile that is stored, if there is one
 * @param now milliseconds since the epoch
 */
export function profileOf(
  calibration: Calibration,
  serverId: string,
  version: string | null,
  before: PartialProfile | undefined,
  now: number,
): Change<ProfileRecord> {
  const { blob, ceiling } = calibration;
  const at = new Date(now).toISOString();
  const proven = withoutDisproved(before?.ceilings ?? [], calibration.largestWindow.numCtx);
  return {
    id: profileId({ serverId, blob }),
    serverId,
    blob,
    models: [...new Set([...(before?.models ?? []), calibration.model])],
    trainedNumCtx: calibration.trainedNumCtx,
    loadMs: [...(before?.loadMs ?? []), ...calibration.loads].slice(-RELOAD_PRICES),
    warmLoadMs: [...(before?.warmLoadMs ?? []), ...calibration.warmLoads].slice(-WARM_VALUES),
    ceilings: ceiling
      ? withCeiling(proven, { numCtx: ceiling.numCtx, at, loadedBytes: ceiling.otherBytes })
      : proven,
    memory: calibration.memory,
    ...(calibration.isBatchSure && {
      batches: calibration.batches.map(({ numBatch, rate, sizeBytes }) => ({
        numBatch,
        promptTokensPerSecond: rate.value,
        sizeBytes,
      })),
    }),
    sawVram: (before?.sawVram ?? false) || calibration.memory.some(({ vramBytes }) => vramBytes > 0),
    calibration: { at, version },
  };
}

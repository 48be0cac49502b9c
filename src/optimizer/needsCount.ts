/** Whether counting a prompt exactly could change anything. */
import type { RunnerOptions } from "../records.js";
import type { Configuration } from "./configuration.js";
import type { OutputReserve } from "./reserve.js";
import { expectedRunner, type SlotState } from "./slotState.js";

/**
 * False when the bound alone decides: it fits the window that the call will meet, and leaves the reply so much
 * room that `num_predict` = window - bound cuts none that the model is likely to give: the user's own
 * `num_predict`, or twice the reserve and half the window.
 *
 * @param byteBound tokens that the prompt cannot exceed
 */
export function needsCount(
  slot: SlotState,
  byteBound: number,
  reserve: OutputReserve,
  explicit: RunnerOptions,
  config: Pick<Configuration, "minimumWindow">,
): boolean {
  // What is loaded into an empty slot is at least the minimum, whatever the count says.
  const window =
    explicit.num_ctx ??
    slot.known.pinnedNumCtx ??
    expectedRunner(slot).numCtx ??
    Math.min(config.minimumWindow, slot.trainedNumCtx ?? Number.POSITIVE_INFINITY);
  const room = window - byteBound;
  if (reserve.source === "none" || reserve.source === "numPredict") return room < reserve.tokens;
  return room < Math.max(2 * reserve.tokens, window >> 1);
}

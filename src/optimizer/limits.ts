/** How large a window may be for a call. */
import type { CallFacts, Limit } from "./callFacts.js";
import { ceilingWindow } from "./ceilings.js";
import type { Configuration } from "./configuration.js";
import type { SlotState } from "./slotState.js";

export interface WindowLimit {
  /** Tokens; Infinity when nothing limits it. */
  readonly window: number;
  readonly kind: Limit["kind"];
  /** The user's own window, clamped to the trained one as Ollama does before it compares; null = none. */
  readonly fixed: number | null;
}

/** The limit in force: the user's window, else the smallest of trained window, ceilings (met, or set by
 * a person) and `maximumWindow`. */
export function windowLimit(
  slot: SlotState,
  facts: CallFacts,
  config: Configuration,
  now: number,
): WindowLimit {
  const trained = slot.trainedNumCtx ?? Number.POSITIVE_INFINITY;
  const asked = facts.explicit.num_ctx ?? slot.known.pinnedNumCtx;
  if (asked !== null && asked !== undefined) {
    const fixed = Math.min(asked, trained);
    return { window: fixed, kind: trained < asked ? "trained" : "explicit", fixed };
  }
  const ceiling = Math.min(
    ceilingWindow(slot.known.ceilings, slot.loaded?.otherBytes ?? 0, now),
    config.maximumWindow ?? Number.POSITIVE_INFINITY,
    slot.known.maximumNumCtx ?? Number.POSITIVE_INFINITY,
  );
  return ceiling < trained
    ? { window: ceiling, kind: "ceiling", fixed: null }
    : { window: trained, kind: "trained", fixed: null };
}

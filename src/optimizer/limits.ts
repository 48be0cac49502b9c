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
  const { ceilings, pinnedNumCtx, maximumNumCtx } = slot.known;
  const trained = { window: slot.trainedNumCtx ?? Number.POSITIVE_INFINITY, kind: "trained" } as const;
  const asked = facts.explicit.num_ctx ?? pinnedNumCtx;
  if (asked !== null) {
    const kind = facts.explicit.num_ctx === undefined ? "pinned" : "explicit";
    const limit = trained.window < asked ? trained : ({ window: asked, kind } as const);
    return { ...limit, fixed: limit.window };
  }
  const bounds = [
    trained,
    { window: maximumNumCtx ?? Number.POSITIVE_INFINITY, kind: "allowed" },
    { window: config.maximumWindow ?? Number.POSITIVE_INFINITY, kind: "maximum" },
    { window: ceilingWindow(ceilings, slot.loaded?.otherBytes ?? 0, now), kind: "ceiling" },
  ] as const;
  const least = bounds.reduce((least, bound) => (bound.window < least.window ? bound : least));
  return { ...least, fixed: null };
}

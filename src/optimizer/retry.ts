/** The one retry: after a prompt was refused for its length, or a load ran out of memory. */
import type { CallFacts, Decided } from "./callFacts.js";
import { ceilingWindow, withCeiling } from "./ceilings.js";
import type { Configuration } from "./configuration.js";
import { decide } from "./decide.js";
import { sameOptions } from "./explicitOptions.js";
import type { SlotState } from "./slotState.js";
import { afterLoaded } from "./transitions.js";

/** What a refusal for length told; null where the server does not tell (before 0.30). Tokens. */
export interface ContextRefusal {
  readonly promptTokens: number | null;
  readonly windowTokens: number | null;
}

export interface Retry {
  readonly slot: SlotState;
  /** What the call is now known to be. */
  readonly facts: CallFacts;
  /** null: there is nothing to try again. With `overflow` set, no window fits. */
  readonly decided: Decided | null;
}

/** A refusal without numbers proves only that the count was too low: by this factor at least, as a guess. */
const BLIND_GROWTH = 1.25;

/**
 * Decides the retry after a context error that came before any output. The refusing runner is loaded with what
 * was sent (a 400 does not avoid a reload), and the server has shown that it refuses rather than cuts.
 */
export function afterContextError(
  slot: SlotState,
  facts: CallFacts,
  decided: Decided,
  refusal: ContextRefusal,
  config: Configuration,
  now: number,
): Retry {
  const sent = decided.options.num_ctx ?? refusal.windowTokens ?? slot.loaded?.numCtx ?? 0;
  // A window smaller than asked for is the server's clamp to a trained window that was not known.
  const isClamped =
    slot.trainedNumCtx === null && refusal.windowTokens !== null && refusal.windowTokens < sent;
  const window = isClamped ? refusal.windowTokens : sent;
  const next: SlotState = {
    ...afterLoaded(slot, { ...decided.options, num_ctx: window }, now),
    trainedNumCtx: isClamped ? window : slot.trainedNumCtx,
    known: { ...slot.known, refusesOverflow: true },
  };
  const counted = facts.prompt?.tokens ?? 0;
  const tokens = refusal.promptTokens ?? Math.max(window + 1, Math.ceil(BLIND_GROWTH * counted));
  const prompt = {
    tokens,
    source: refusal.promptTokens === null ? ("estimate" as const) : ("exact" as const),
    upperBound: refusal.promptTokens ?? Math.max(tokens, facts.prompt?.upperBound ?? tokens),
  };
  const known: CallFacts = { ...facts, prompt };
  const again = decide(next, known, config, now);
  // The same window would be refused again: no window fits.
  const isSame = (again.options.num_ctx ?? 0) <= window && again.overflow === undefined;
  const overflow = {
    limit: window,
    kind: again.tight?.kind ?? "trained",
    needTokens: again.needTokens ?? tokens,
  } as const;
  return { slot: next, facts: known, decided: isSame ? { ...again, overflow } : again };
}

/**
 * Remembers a ceiling after a load that ran out of memory, and decides the retry: the smallest window that
 * covers the need, since there is only one try. Nothing is retried with a window that the user set.
 *
 * @param otherBytes bytes of other models that were loaded
 */
export function afterOutOfMemory(
  slot: SlotState,
  facts: CallFacts,
  decided: Decided,
  otherBytes: number,
  config: Configuration,
  now: number,
): Retry {
  const failed = decided.options.num_ctx;
  const isPending = slot.pending !== null && sameOptions(slot.pending.options, decided.options);
  const ceilings =
    failed === undefined
      ? slot.known.ceilings
      : withCeiling(slot.known.ceilings, {
          numCtx: failed,
          at: new Date(now).toISOString(),
          loadedBytes: otherBytes,
        });
  const next: SlotState = {
    ...slot,
    pending: isPending ? null : slot.pending,
    // The old runner made room for the one that failed.
    loaded: {
      expiresAt: null,
      otherModelsLoaded: 0,
      ...slot.loaded,
      numCtx: null,
      sizeBytes: 0,
      vramBytes: 0,
      otherBytes,
      observedAt: now,
    },
    options: {},
    known: { ...slot.known, ceilings },
  };
  if (failed === undefined || facts.explicit.num_ctx !== undefined || slot.known.pinnedNumCtx !== null) {
    return { slot: next, facts, decided: null };
  }
  if (ceilingWindow(ceilings, otherBytes, now) < 1) return { slot: next, facts, decided: null };
  const again = decide(next, facts, config, now, true);
  return { slot: next, facts, decided: again.action === "pass" ? null : again };
}

/** How a slot's state changes: when the server is looked at, when a call goes out, when it fails. */
import type { RunnerOptions } from "../records.js";
import type { Decided } from "./callFacts.js";
import { conflicts, sameOptions } from "./explicitOptions.js";
import { withMemoryPoint } from "./memoryModel.js";
import type { LoadedState, SlotState } from "./slotState.js";

/** A model that is gone this long before its `expires_at` was evicted; less may be a clock that differs. */
const EVICTION_MARGIN_MS = 10_000;

/** Loads time out after 5 minutes (OLLAMA_LOAD_TIMEOUT): a reload that nobody answered for is over. */
const FORGOTTEN_MS = 600_000;

export interface Observed {
  readonly slot: SlotState;
  /** Another client loaded another window since the last look. */
  readonly isForeign: boolean;
  /** The model made room for another one before its time. */
  readonly isEvicted: boolean;
}

/** Takes in what `/api/ps` said. An answer older than what is known changes nothing. */
export function observe(from: SlotState, loaded: LoadedState): Observed {
  const isOver = from.pending !== null && loaded.observedAt - from.pending.since > FORGOTTEN_MS;
  const slot = isOver ? { ...from, pending: null } : from;
  const before = slot.loaded;
  if (before !== null && loaded.observedAt < before.observedAt) {
    return { slot, isForeign: false, isEvicted: false };
  }
  // While a reload is on its way, the server may show the old runner, the new one, or none.
  if (slot.pending) {
    return {
      slot: { ...slot, loaded: { ...loaded, numCtx: before?.numCtx ?? loaded.numCtx } },
      isForeign: false,
      isEvicted: false,
    };
  }
  const wasLoaded = before !== null && before.numCtx !== null;
  if (loaded.numCtx === null) {
    const isEvicted =
      wasLoaded && before.expiresAt !== null && before.expiresAt - loaded.observedAt > EVICTION_MARGIN_MS;
    return { slot: { ...slot, loaded, options: {} }, isForeign: false, isEvicted };
  }
  const isOurs = slot.options.num_ctx === undefined || slot.options.num_ctx === loaded.numCtx;
  // Of another client's runner only the window is visible; most clients send nothing else.
  const options: RunnerOptions = isOurs
    ? { ...slot.options, num_ctx: loaded.numCtx }
    : { num_ctx: loaded.numCtx };
  const known = {
    ...slot.known,
    sawVram: slot.known.sawVram || loaded.vramBytes > 0,
    memory:
      loaded.sizeBytes > 0
        ? withMemoryPoint(slot.known.memory, {
            numCtx: loaded.numCtx,
            numBatch: options.num_batch ?? null,
            sizeBytes: loaded.sizeBytes,
            vramBytes: loaded.vramBytes,
          })
        : slot.known.memory,
  };
  return { slot: { ...slot, loaded, options, known }, isForeign: !isOurs && wasLoaded, isEvicted: false };
}

/** True for decisions that load a runner. */
export function isReloading(decided: Decided): boolean {
  return decided.action === "load" || decided.action === "grow" || decided.action === "shrink";
}

/**
 * Takes in a decision, in the same turn of the event loop in which it was made: from here on every call of the
 * slot sends its options, so that concurrent calls do not undo each other's reloads.
 */
export function afterDecision(slot: SlotState, decided: Decided, now: number): SlotState {
  const { pending } = slot;
  if (isReloading(decided)) {
    const joins = pending !== null && sameOptions(pending.options, decided.options);
    return {
      ...slot,
      pending: joins
        ? { ...pending, calls: pending.calls + 1 }
        : { options: decided.options, since: now, calls: 1 },
    };
  }
  if (decided.joinsReload && pending) return { ...slot, pending: { ...pending, calls: pending.calls + 1 } };
  return decided.action === "keep" ? { ...slot, options: decided.options } : slot;
}

/**
 * The decision as it should go out now: when calls that were decided later raised the target meanwhile, it goes
 * with them. So a cold burst loads once, with its largest need. Windows that the user set stay.
 *
 * @param explicit what the user set for this call
 * @param outputLimit tokens that the reply may have at most
 */
export function atSending(
  slot: SlotState,
  decided: Decided,
  explicit: RunnerOptions,
  outputLimit: number = Number.POSITIVE_INFINITY,
): Decided {
  const target = slot.pending?.options;
  const sent = decided.options.num_ctx;
  if (!target?.num_ctx || decided.action === "pass" || sent === undefined || explicit.num_ctx !== undefined) {
    return decided;
  }
  if (target.num_ctx <= sent || conflicts(explicit, target)) return decided;
  const wider = target.num_ctx - sent;
  // A num_predict that filled the old window fills the new one; the user's own is not touched.
  const filled = decided.promptTokens !== null && decided.numPredict === sent - decided.promptTokens;
  return {
    ...decided,
    options: target,
    numPredict: filled ? Math.min(decided.numPredict! + wider, outputLimit) : decided.numPredict,
    reason: `${decided.reason} Sent with ${target.num_ctx}, which a concurrent call needs.`,
    joinsReload: true,
  };
}

/** The server has loaded these options: a first token came, or an answer that only a loaded runner gives. */
export function afterLoaded(slot: SlotState, options: RunnerOptions, now: number): SlotState {
  const numCtx = options.num_ctx ?? null;
  if (numCtx === null) return slot;
  const same = slot.loaded !== null && slot.loaded.numCtx === numCtx && sameOptions(slot.options, options);
  const reached = slot.pending !== null && sameOptions(slot.pending.options, options);
  if (same && !reached) return slot;
  const loaded: LoadedState = {
    otherModelsLoaded: 0,
    otherBytes: 0,
    ...slot.loaded,
    numCtx,
    expiresAt: null,
    // Unknown until the server is looked at again.
    sizeBytes: same ? slot.loaded!.sizeBytes : 0,
    vramBytes: same ? slot.loaded!.vramBytes : 0,
    observedAt: now,
  };
  return { ...slot, loaded, options, pending: reached ? null : slot.pending };
}

/** A call failed before its runner answered (refused, aborted, connection lost). */
export function afterFailure(slot: SlotState, decided: Decided): SlotState {
  const { pending } = slot;
  if (!pending || !sameOptions(pending.options, decided.options)) return slot;
  if (pending.calls > 1) return { ...slot, pending: { ...pending, calls: pending.calls - 1 } };
  // The runner that was loaded may have left for the one that was on its way.
  return { ...slot, pending: null, loaded: slot.loaded?.numCtx ? null : slot.loaded };
}

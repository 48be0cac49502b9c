/** What a reply teaches: the slot's next state, the decision's outcome, and the change to the stored profile. */
import type { DecisionOutcome, ProfileRecord } from "../records.js";
import type { CallFacts, Decided } from "./callFacts.js";
import { withoutDisproved } from "./ceilings.js";
import { afterContested } from "./contest.js";
import { isCut, isShifted } from "./cut.js";
import { type ProfileChange, profileChange } from "./profile.js";
import { LARGEST_NEEDS, RECENT_NEEDS } from "./recency.js";
import { isReload, RELOAD_PRICES, WARM_VALUES } from "./reload.js";
import type { SlotKnowledge, SlotState } from "./slotState.js";
import { spillCostMs, spilledShare } from "./spill.js";
import { afterLoaded, isReloading } from "./transitions.js";

/** A finished reply in numbers: counts in tokens, durations in ms, null where the server did not tell. */
export interface Reply {
  readonly promptTokens: number | null;
  readonly outputTokens: number | null;
  readonly loadMs: number | null;
  readonly promptMs: number | null;
  readonly outputMs: number | null;
  readonly doneReason: string | null;
  /** When the call went out, in ms of the clock that looks at the server; absent when not known. */
  readonly sentAt?: number;
  /** Thinking together with `format`: Ollama sends two requests, the numbers are the second's. */
  readonly isTwoRequests?: boolean;
  /** Asked to unload the model behind it (`keep_alive: 0`). */
  readonly unloads?: boolean;
  /** It was read so late that another runner has answered since. */
  readonly isOutdated?: boolean;
  readonly retries: number;
  readonly error: string | null;
}

export interface AfterReply {
  readonly slot: SlotState;
  readonly outcome: DecisionOutcome;
  /** Another client reloaded the runner since this program last looked. */
  readonly isForeignReload: boolean;
  /** What is loaded is known only in part now: ask `/api/ps` again. */
  readonly isStale: boolean;
  /** The counts are what a whole, undisturbed call gave: distributions may learn them. */
  readonly isLearnable: boolean;
  readonly change: ProfileChange;
}

/** Rates from fewer output tokens than this are noise. */
const LEAST_RATE_TOKENS = 32;

export function afterReply(
  slot: SlotState,
  facts: CallFacts,
  decided: Decided,
  reply: Reply,
  now: number,
): AfterReply {
  const window = decided.options.num_ctx ?? slot.loaded?.numCtx ?? null;
  const { promptTokens, outputTokens } = reply;
  const cut = promptTokens !== null && isCut(facts.prompt, promptTokens, window);
  const shifted =
    promptTokens !== null && isShifted(decided, promptTokens, outputTokens ?? 0, reply.doneReason, window);
  const reloaded = wasReloaded(slot, decided, reply);
  const isForeignReload = reloaded && decided.action === "keep";
  const isLearnable =
    promptTokens !== null && !cut && !shifted && reply.isTwoRequests !== true && reply.error === null;
  const spillMs = reloaded
    ? -slot.known.spillCostMs
    : spillCostMs(
        spilledShare(slot),
        outputTokens ?? 0,
        reply.outputMs ?? 0,
        slot.known.unspilledTokensPerSecond,
      );
  const known: SlotKnowledge = {
    ...withNeed(
      slot.known,
      isLearnable ? promptTokens + Math.max(facts.reserve.tokens, outputTokens ?? 0) : null,
    ),
    ...loadTimes(slot.known, decided, reply, reloaded),
    ceilings: window === null ? slot.known.ceilings : withoutDisproved(slot.known.ceilings, window),
    refusesOverflow: cut && decided.truncate === false ? false : slot.known.refusesOverflow,
    unspilledTokensPerSecond: bestRate(slot, reply),
    calls: slot.known.calls + 1,
    spillCostMs: slot.known.spillCostMs + spillMs,
  };
  // Without a window of its own, a call that goes out as written gets the server's default.
  const isDefault = decided.options.num_ctx === undefined;
  const loaded = reply.isOutdated ? slot : afterLoaded(slot, decided.options, now);
  const next: SlotState = {
    ...(isDefault ? { ...slot, options: slot.pending ? slot.options : decided.options } : loaded),
    contest: afterContested(slot, decided, reloaded, reply, now),
    known,
  };
  const counts: Partial<ProfileRecord["counts"]> = {
    calls: 1,
    reloads: Number(reloaded),
    foreignReloads: Number(isForeignReload),
    retries: reply.retries,
    cuts: Number(cut),
    shifts: Number(shifted),
    spillCostMs: spillMs,
  };
  return {
    slot: next,
    outcome: { retries: reply.retries, reloaded, shifted, cut, error: reply.error },
    isForeignReload,
    isStale: reloaded || isDefault,
    isLearnable,
    change: {
      ...profileChange(next, now, counts),
      ...(known.ceilings !== slot.known.ceilings && { ceilings: known.ceilings }),
    },
  };
}

/**
 * Whether this call's reply shows a reload that no other call has accounted for: calls that wait for another
 * one's reload report the wait as their own `load_duration`.
 */
function wasReloaded(slot: SlotState, decided: Decided, reply: Reply): boolean {
  if (decided.joinsReload) return false;
  const { warmLoadMs, loadMs } = slot.known;
  if (!isReloading(decided)) {
    return reply.loadMs !== null && isReload(reply.loadMs, warmLoadMs, loadMs, seenMs(slot, decided, reply));
  }
  // It may be that another program loaded the same window in between. What loads took before tells nothing then: one
  // from a cold disk takes ten times as long.
  return warmLoadMs.length === 0 || reply.loadMs === null || isReload(reply.loadMs, warmLoadMs, []);
}

/** How long before the call the server showed the window that was sent; Infinity when it did not. */
function seenMs({ loaded }: SlotState, { options }: Decided, { sentAt }: Reply): number {
  const isSeen = loaded !== null && loaded.numCtx !== null && loaded.numCtx === options.num_ctx;
  if (!isSeen || sentAt === undefined || loaded.observedAt > sentAt) return Number.POSITIVE_INFINITY;
  return sentAt - loaded.observedAt;
}

function loadTimes(
  known: SlotKnowledge,
  decided: Decided,
  reply: Reply,
  reloaded: boolean,
): Pick<SlotKnowledge, "loadMs" | "warmLoadMs"> {
  if (reply.loadMs === null) return { loadMs: known.loadMs, warmLoadMs: known.warmLoadMs };
  if (reloaded) {
    return { loadMs: [...known.loadMs, reply.loadMs].slice(-RELOAD_PRICES), warmLoadMs: known.warmLoadMs };
  }
  // Who waited for a reload tells nothing about a warm runner.
  const isWarm = decided.action === "keep" && !decided.joinsReload;
  return {
    loadMs: known.loadMs,
    warmLoadMs: isWarm ? [...known.warmLoadMs, reply.loadMs].slice(-WARM_VALUES) : known.warmLoadMs,
  };
}

function withNeed(known: SlotKnowledge, need: number | null): SlotKnowledge {
  if (need === null) return known;
  return {
    ...known,
    recentNeeds: [...known.recentNeeds, need].slice(-RECENT_NEEDS),
    largestNeeds: [...known.largestNeeds, need].sort((a, b) => b - a).slice(0, LARGEST_NEEDS),
  };
}

function bestRate(slot: SlotState, reply: Reply): number | null {
  const best = slot.known.unspilledTokensPerSecond;
  const { outputTokens, outputMs } = reply;
  const isOnGpu = slot.loaded !== null && slot.loaded.vramBytes > 0 && spilledShare(slot) === 0;
  if (!isOnGpu || outputTokens === null || outputTokens < LEAST_RATE_TOKENS || !outputMs) return best;
  return Math.max(best ?? 0, (1000 * outputTokens) / outputMs);
}

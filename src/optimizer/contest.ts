/**
 * Two programs, one runner. A window that was kept and had to be loaded all the same says that another program holds
 * a window of its own, and its next call may be waiting already; so does a load that took as long as two. `/api/ps`
 * shows the old runner for some more ms after a reply, then none while the other one loads, and the new one only at
 * the end (0.24.0 and 0.34.0). Whoever decides at once repeats its own window, and the two reload by turns. Who looks
 * until the list is steady sees the other's window, and keeps that.
 */
import type { Reply } from "./afterReply.js";
import type { Decided } from "./callFacts.js";
import { type Contest, expectedRunner, type SlotState } from "./slotState.js";
import { median } from "./spill.js";

/** For so long after a reply a runner that is on its way out may be listed; four times as long each time after. */
const LINGERS_MS = 25;
/** Share of a load's price that is waited at most while our own runner is listed: another call may never come. */
const LINGERS_SHARE = 0.25;
/** Of a load's price, while nothing is listed: another program's load takes about one. */
const LOADS_SHARE = 2;

/** A load that took so many times the fastest one waited for another program's. */
const WAITED_SHARE = 1.5;

/**
 * The contest after a reply.
 *
 * @param reloaded whether the reply shows a load, which for a kept window is another program's doing
 */
export function afterContested(
  slot: SlotState,
  decided: Decided,
  reloaded: boolean,
  { loadMs, unloads }: Pick<Reply, "loadMs" | "unloads">,
  now: number,
): Contest | null {
  const numCtx = decided.options.num_ctx;
  const isKept = decided.action === "keep";
  // What is listed next is nothing, whoever else is there.
  if (unloads) return null;
  if (numCtx !== undefined && reloaded && (isKept || hasWaited(slot, loadMs))) {
    const isVain = !isKept && slot.contest?.isVain === true;
    return { numCtx, times: (slot.contest?.times ?? 0) + 1, since: now, isVain };
  }
  return isKept && !decided.joinsReload ? null : slot.contest;
}

function hasWaited({ known }: SlotState, loadMs: number | null): boolean {
  return known.loadMs.length > 0 && (loadMs ?? 0) > WAITED_SHARE * Math.min(...known.loadMs);
}

/**
 * Whether what the server lists may be about to change, so that a decision had better look again. It ends by itself
 * after at most twice the price of a load, which is what a wrong decision costs (ski rental, Karlin et al. 1988).
 *
 * @param now ms since the epoch
 */
export function isContested(slot: SlotState, now: number): boolean {
  const { contest, pending, loaded, known } = slot;
  if (contest === null || contest.isVain || pending !== null || known.pinnedNumCtx !== null) return false;
  const price = median(known.loadMs) ?? 0;
  const waited = now - contest.since;
  const listed = expectedRunner(slot).numCtx;
  if (listed === null) return waited < LOADS_SHARE * price && loaded?.otherModelsLoaded === 0;
  const lingers = Math.min(LINGERS_MS * 4 ** (contest.times - 1), LINGERS_SHARE * price);
  return listed === contest.numCtx && waited < lingers;
}

/** After waiting: when nothing is listed still, nobody is waited for again until a reply shows that somebody is there. */
export function afterWaiting(slot: SlotState): SlotState {
  const isVain = slot.contest !== null && expectedRunner(slot).numCtx === null;
  return isVain ? { ...slot, contest: { ...slot.contest!, isVain } } : slot;
}

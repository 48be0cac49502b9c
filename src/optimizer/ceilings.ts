/** Windows that ran out of memory. An explicit window disables Ollama's own safety net; this one replaces it. */
import type { ProfileRecord } from "../records.js";
import { rungBelow } from "./ladder.js";

export type Ceiling = ProfileRecord["ceilings"][number];

const DAY_MS = 86_400_000;
/** Drivers, cards and other programs change: a ceiling is asked again after so long, whatever is loaded. */
const LONGEST_MS = 7 * DAY_MS;
/** At most this many are kept, the smallest windows first. */
const MAX_CEILINGS = 4;

/**
 * The largest window that may be loaded at present. A ceiling holds for a day; after that it is tried again only
 * when less is loaded beside the model than when it was met, or a week has passed.
 *
 * @param otherBytes bytes of other models loaded now
 * @param now ms since the epoch
 * @returns tokens: the rung below the smallest ceiling in force; Infinity when there is none
 * @example ceilingWindow([{ numCtx: 32768, at: "2025-01-01T00:00:00Z", loadedBytes: 0 }], 0, Date.parse("2025-01-01T01:00:00Z")) // 27648
 */
export function ceilingWindow(ceilings: readonly Ceiling[], otherBytes: number, now: number): number {
  let window = Number.POSITIVE_INFINITY;
  for (const ceiling of ceilings) {
    if (isInForce(ceiling, otherBytes, now)) window = Math.min(window, rungBelow(ceiling.numCtx));
  }
  return window;
}

function isInForce(ceiling: Ceiling, otherBytes: number, now: number): boolean {
  const ageMs = now - Date.parse(ceiling.at);
  // A negative age (the clock jumped) and an unreadable time count as fresh.
  if (!(ageMs >= DAY_MS)) return true;
  return ageMs < LONGEST_MS && otherBytes >= ceiling.loadedBytes;
}

/** Ceilings with one more; one entry a window. */
export function withCeiling(ceilings: readonly Ceiling[], ceiling: Ceiling): readonly Ceiling[] {
  return [...ceilings.filter((c) => c.numCtx !== ceiling.numCtx), ceiling]
    .sort((a, b) => a.numCtx - b.numCtx)
    .slice(0, MAX_CEILINGS);
}

/** Ceilings after a window loaded: those at or below it were proven wrong. */
export function withoutDisproved(ceilings: readonly Ceiling[], numCtx: number): readonly Ceiling[] {
  return ceilings.some((c) => c.numCtx <= numCtx) ? ceilings.filter((c) => c.numCtx > numCtx) : ceilings;
}

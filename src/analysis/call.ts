/** What the analysis reads out of one record, more than once. */
import type { RequestRecord } from "../records.js";
import type { Group } from "./types.js";

/** A record that was let in, and where it belongs. */
export interface Call {
  readonly record: RequestRecord;
  /** Start of the call, ms since the epoch. */
  readonly at: number;
  /** Calls of one group have the same object here, so that it can be the key of a map. */
  readonly group: Group;
  /** Likewise. */
  readonly slot: Slot;
  /** Whether the model was loaded for this call. */
  readonly isLoad: boolean;
  /** The log goes back here: what was loaded, and how many calls came, tells nothing of the calls from now on. */
  readonly goesBack: boolean;
}

/** One loaded runner: models of the same weights share it. Its model is the first that was seen to use it. */
export interface Slot {
  readonly serverId: string;
  readonly model: string;
}

/**
 * Where the decision does not tell: a warm runner reports 1 to 109 ms of `load_duration`, a reload 260 ms for 13 MB
 * and seconds for real models.
 */
const RELOAD_MS = 200;

/** Ends of one load differ by what calls need to be sent; a load in between takes longer than this share of a wait. */
const SAME_SHARE = 0.1;
/** Loads of a slot that are remembered. */
const REMEMBERED = 32;

/** The last loads of one slot. */
export class SlotLoads {
  /** When they ended, ms since the epoch. */
  private readonly ends: number[] = [];

  /**
   * Whether the model was loaded for this call. Calls that wait for another one's load report the wait as their own:
   * loads that end at the same moment are one.
   *
   * @param at start of the call, ms since the epoch
   */
  take(record: RequestRecord, at: number): boolean {
    if (record.error !== null) return false;
    const told = record.decision?.outcome?.reloaded;
    const ms = record.loadMs ?? 0;
    if (!(told ?? ms > RELOAD_MS)) return false;
    const end = at + ms;
    const slack = Math.max(RELOAD_MS, SAME_SHARE * ms);
    if (told !== true && this.ends.some((other) => Math.abs(other - end) < slack)) return false;
    this.ends.push(end);
    if (this.ends.length > REMEMBERED) this.ends.shift();
    return true;
  }
}

/** Prompt tokens that had to be evaluated; null when unknown. */
export function freshTokens(record: RequestRecord): number | null {
  if (record.promptTokens === null) return null;
  return Math.max(0, record.promptTokens - (record.cachedTokens ?? 0));
}

/** Time in which neither the model was loaded nor a token made: the call stood in line. */
export function queueMs(record: RequestRecord): number | null {
  const { totalMs, promptMs, outputMs } = record;
  if (totalMs === null || promptMs === null || outputMs === null) return null;
  return Math.max(0, totalMs - (record.loadMs ?? 0) - promptMs - outputMs);
}

/** Share of the loaded model outside GPU memory; null when unknown or when none of it ever was (a CPU machine). */
export function spilledShare(record: RequestRecord): number | null {
  const { modelBytes, modelVramBytes } = record;
  if (!modelBytes || modelVramBytes === null || modelVramBytes === 0) return null;
  return Math.max(0, 1 - modelVramBytes / modelBytes);
}

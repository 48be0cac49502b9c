/** Why calls became slower: which part of their time grew, and what grew with it. */
import type { RequestRecord } from "../records.js";
import { freshTokens, queueMs, spilledShare } from "./call.js";
import type { Cause } from "./types.js";

/** Medians of some calls, or the figures of one. null: not known. Durations in ms. */
export interface Profile {
  readonly totalMs: number | null;
  readonly loadMs: number | null;
  readonly promptMs: number | null;
  readonly outputMs: number | null;
  readonly queueMs: number | null;
  readonly promptTokens: number | null;
  readonly freshTokens: number | null;
  readonly cachedTokens: number | null;
  readonly outputTokens: number | null;
  /** 0..1 */
  readonly spilledShare: number | null;
  /** 0..100 */
  readonly cpuPercent: number | null;
}

/** A part of the time is to blame when it makes up this much of what came on top. */
const BLAMED_SHARE = 0.5;
/** Grown means by this factor. */
const GROWN = 1.3;
/** A prefix that is evaluated again costs several times what its reuse did. */
const COLD_FACTOR = 2;
const BUSY_PERCENT = 90;
const BUSY_FACTOR = 1.5;

/**
 * The cause of calls like `after` where `before` was usual.
 *
 * @returns null when they are not slower, or the records do not tell
 */
export function causeOf(before: Profile, after: Profile): Cause | null {
  const excess = (after.totalMs ?? 0) - (before.totalMs ?? 0);
  if (excess <= 0) return null;
  const parts = (["loadMs", "promptMs", "outputMs", "queueMs"] as const)
    .map((part) => ({ part, ms: (after[part] ?? 0) - (before[part] ?? 0) }))
    .sort((a, b) => b.ms - a.ms);
  const { part, ms } = parts[0]!;
  if (ms < BLAMED_SHARE * excess) return null;
  if (part === "loadMs") return "reload";
  if (part === "queueMs") return "queue";
  if (part === "promptMs") return promptCause(before, after);
  return grown(before.outputTokens, after.outputTokens) ? "longerReplies" : slownessCause(before, after);
}

function promptCause(before: Profile, after: Profile): Cause | null {
  if (grown(before.promptTokens, after.promptTokens)) return "longerPrompts";
  if (after.cachedTokens !== null && grown(before.freshTokens, after.freshTokens)) return "coldPrefix";
  const slowness = slownessCause(before, after);
  if (slowness !== null) return slowness;
  // Before 0.33.3 Ollama does not tell what came from the cache: prompts alone slow down, replies do not.
  const isUntold = after.cachedTokens === null;
  const promptsSlowed =
    rate(after.promptMs, after.promptTokens) >= COLD_FACTOR * rate(before.promptMs, before.promptTokens);
  const repliesDid =
    rate(after.outputMs, after.outputTokens) >= GROWN * rate(before.outputMs, before.outputTokens);
  return isUntold && promptsSlowed && !repliesDid ? "coldPrefix" : null;
}

/** As many tokens as before took longer. */
function slownessCause(before: Profile, after: Profile): Cause | null {
  if ((after.spilledShare ?? 0) > (before.spilledShare ?? 0) + 0.02) return "spill";
  const cpu = after.cpuPercent ?? 0;
  const isBusier = cpu > (before.cpuPercent ?? 0);
  return isBusier && (cpu >= BUSY_PERCENT || cpu >= BUSY_FACTOR * (before.cpuPercent ?? cpu))
    ? "busyMachine"
    : null;
}

function grown(before: number | null, after: number | null): boolean {
  return after !== null && before !== null && after >= GROWN * Math.max(before, 1);
}

function rate(ms: number | null, tokens: number | null): number {
  return ms !== null && tokens ? ms / tokens : Number.NaN;
}

/** The figures of one call. */
export function profileOfRecord(record: RequestRecord): Profile {
  const { totalMs, loadMs, promptMs, outputMs, promptTokens, cachedTokens, outputTokens } = record;
  return {
    totalMs,
    loadMs,
    promptMs,
    outputMs,
    queueMs: queueMs(record),
    promptTokens,
    freshTokens: freshTokens(record),
    cachedTokens,
    outputTokens,
    spilledShare: spilledShare(record),
    cpuPercent: record.host?.cpuPercent ?? null,
  };
}

/** Medians of what is known of some calls. */
export function profileOf(records: readonly RequestRecord[]): Profile {
  const profiles = records.map(profileOfRecord);
  const values = new Float64Array(profiles.length);
  const median = (name: keyof Profile): number | null => {
    let count = 0;
    for (const profile of profiles) {
      const value = profile[name];
      if (value !== null && value !== undefined) values[count++] = value;
    }
    if (count === 0) return null;
    const sorted = values.subarray(0, count).sort();
    return (sorted[(count - 1) >> 1]! + sorted[count >> 1]!) / 2;
  };
  return {
    totalMs: median("totalMs"),
    loadMs: median("loadMs"),
    promptMs: median("promptMs"),
    outputMs: median("outputMs"),
    queueMs: median("queueMs"),
    promptTokens: median("promptTokens"),
    freshTokens: median("freshTokens"),
    cachedTokens: median("cachedTokens"),
    outputTokens: median("outputTokens"),
    spilledShare: median("spilledShare"),
    cpuPercent: median("cpuPercent"),
  };
}

/** A step of the auto-optimizer: what it changes and why, what it is to bring, and what it brought. Saved as it is. */
import type { DialKind } from "./levers.js";

/** What a step turns, or starts. */
export type StepType = DialKind | "release" | "retune";

/** What a step is judged by. */
export type Goal = "hitRate" | "memory" | "cpu" | "reloads" | "response";

/** How things were over a span of time. null where nothing was measured. */
export interface Measurements {
  readonly calls: number;
  /** Looks into the cache. */
  readonly lookups: number;
  /** 0..1. */
  readonly hitRate: number | null;
  /** Used memory of the machine, percent. */
  readonly memory: number | null;
  /** Percent. */
  readonly cpu: number | null;
  /** Reloads by call. */
  readonly reloads: number | null;
  /** Median response time, ms. */
  readonly response: number | null;
}

/** A step that could be taken. */
export interface Proposal {
  readonly type: StepType;
  /** Which cache, gate or slot; "" where there is only one. */
  readonly target: string;
  /** What is done, in plain words. */
  readonly action: string;
  readonly from: number | null;
  readonly to: number | null;
  readonly reason: string;
  /** What it is to bring, in plain words. */
  readonly expected: string;
  readonly goal: Goal;
}

/**
 * "proposed": a dry run, or not allowed. "open": applied, and watched. "kept" and "reverted": judged. "done": applied,
 * with nothing to take back.
 */
export type StepState = "proposed" | "open" | "kept" | "reverted" | "done";

export interface Step extends Proposal {
  readonly id: string;
  /** ISO 8601, when it was applied or proposed. */
  readonly at: string;
  readonly state: StepState;
  readonly before: Measurements;
  /** What the check afterwards found; null while it is open. */
  readonly after: Measurements | null;
  /** ISO 8601; null while it is open. */
  readonly checkedAt: string | null;
  /** What the check said, in plain words; null while it is open. */
  readonly verdict: string | null;
}

/** Whether a step that was applied has helped. Pure. */
import type { Goal, Measurements, Step } from "./step.js";

/** A step is judged after so long and so many calls at the earliest. */
export interface Patience {
  /** @default 600000 */
  readonly leastMs: number;
  /** @default 20 */
  readonly leastCalls: number;
  /** Without enough calls until then it is taken back: nothing shows that it helps. @default 86400000 */
  readonly mostMs: number;
}

export const DEFAULT_PATIENCE: Patience = { leastMs: 600_000, leastCalls: 20, mostMs: 86_400_000 };

export interface Verdict {
  readonly state: "kept" | "reverted";
  readonly text: string;
}

/** How much a figure must move before it counts as moved: by itself it does not stay the same either. */
const LEAST: Readonly<Record<Goal, (before: number) => number>> = {
  hitRate: () => 0.02,
  memory: () => 1,
  cpu: () => 2,
  reloads: () => 0.01,
  response: (before) => 0.05 * before,
};
const NAMES: Readonly<Record<Goal, string>> = {
  hitRate: "Hit rate",
  memory: "Memory in use",
  cpu: "CPU",
  reloads: "Loads per call",
  response: "Median response time",
};
/** A step whose price is so much slower calls is taken back, whatever it brought. */
const HARM = 1.2;

/**
 * @param after how it was since the step was applied
 * @param reloaded whether a load took place since: windows, batches and keep-alive come into force with one
 * @param now milliseconds since 1970
 * @returns null while it is too early to tell
 */
export function judgeStep(
  step: Step,
  after: Measurements,
  reloaded: boolean,
  now: number,
  patience: Patience = DEFAULT_PATIENCE,
): Verdict | null {
  const ageMs = now - Date.parse(step.at);
  const isInForce = step.type === "window" || step.type === "batch" ? reloaded : true;
  const seen = step.goal === "hitRate" ? after.lookups : after.calls;
  const isEarly = ageMs < patience.leastMs || seen < patience.leastCalls || !isInForce;
  if (isEarly) {
    if (ageMs < patience.mostMs) return null;
    return { state: "reverted", text: `Too little happened to tell whether it helps: ${seen} calls since` };
  }
  const { response } = step.before;
  if (response !== null && after.response !== null && after.response > HARM * response) {
    return {
      state: "reverted",
      text: `Calls became slower: median ${ms(after.response)} after ${ms(response)}`,
    };
  }
  const before = step.before[step.goal];
  const present = after[step.goal];
  if (before === null || present === null) return { state: "reverted", text: "Its effect was not measured" };
  const gain = step.goal === "hitRate" ? present - before : before - present;
  const text = `${NAMES[step.goal]} ${shown(step.goal, present)} after ${shown(step.goal, before)}`;
  return gain >= LEAST[step.goal](before)
    ? { state: "kept", text: `It helped: ${text}` }
    : { state: "reverted", text: `It did not help: ${text}` };
}

function shown(goal: Goal, value: number): string {
  if (goal === "response") return ms(value);
  return goal === "hitRate" || goal === "reloads" ? `${(100 * value).toFixed(1)} %` : `${value.toFixed(1)} %`;
}

function ms(value: number): string {
  return `${Math.round(value)} ms`;
}

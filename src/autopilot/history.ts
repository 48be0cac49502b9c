/** The auto-optimizer's memory in the store: its switch, and every step it took. */
import type { AppliedStep } from "../analysis/types.js";
import type { OptimizerStore } from "../storage/store.js";
import type { Step } from "./step.js";

/** Switch of the loop. */
export interface LoopState {
  readonly enabled: boolean;
  /** ISO 8601, when it was switched last; null: never. */
  readonly changedAt: string | null;
  /** ISO 8601, the last run of any process; null: none yet. */
  readonly lastRunAt: string | null;
}

const STATE_ID = "autopilot";
/** A document of its own: a run that ends must not write back a switch that another program has turned meanwhile. */
const RUN_ID = "autopilot run";
const STEP = "autopilot step ";
const OFF: LoopState = { enabled: false, changedAt: null, lastRunAt: null };
/** Steps kept; the oldest that are not in force go first. */
const MOST_STEPS = 500;

export class History {
  constructor(private readonly store: OptimizerStore) {}

  state(): LoopState {
    const [known, run] = [STATE_ID, RUN_ID].map(
      (id) => this.store.get("settings", id)?.value as Partial<LoopState> | undefined,
    );
    return { ...OFF, ...known, ...run };
  }

  switched(change: Pick<LoopState, "enabled" | "changedAt">): Promise<void> {
    return this.store.merge("settings", { id: STATE_ID, value: change });
  }

  ran(lastRunAt: string): Promise<void> {
    return this.store.merge("settings", { id: RUN_ID, value: { lastRunAt } });
  }

  /** Oldest first. */
  steps(): readonly Step[] {
    return [...this.store.list("settings")]
      .filter(({ id, value }) => id.startsWith(STEP) && isStep(value))
      .map(({ value }) => value as Step)
      .sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : a.id < b.id ? -1 : 1));
  }

  async save(step: Step): Promise<void> {
    await this.store.merge("settings", { id: STEP + step.id, value: step });
    const over = this.steps().filter(({ state }) => state !== "open" && state !== "kept");
    const excess = this.steps().length - MOST_STEPS;
    for (const { id } of over.slice(0, Math.max(0, excess))) await this.store.remove("settings", STEP + id);
  }
}

/**
 * Steps as the report tells them.
 *
 * @example
 * appliedSteps([
 *   { type: "batch", action: "Smaller", at: "2025-06-18T12:00:00Z", reason: "Memory", state: "reverted" },
 * ])[0].outcome // "reverted"
 */
export function appliedSteps(
  steps: readonly Pick<Step, "type" | "action" | "at" | "reason" | "state">[],
): readonly AppliedStep[] {
  return steps
    .filter(({ state }) => state !== "proposed")
    .map(({ type, action, at, reason, state }) => ({
      type,
      action,
      at,
      reason,
      outcome: state === "open" ? null : state === "reverted" ? "reverted" : "kept",
    }));
}

function isStep(value: unknown): boolean {
  return typeof value === "object" && value !== null && "type" in value && "at" in value && "state" in value;
}

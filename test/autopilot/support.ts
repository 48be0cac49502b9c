/** Dials, figures and steps for the auto-optimizer's tests. */
import type { Dial, DialKind, Measurements, Step } from "../../src/autopilot/index.js";

export const NOW: number = Date.UTC(2025, 5, 18, 12);

export interface TestDial extends Dial {
  value: number | null;
}

export function dial(kind: DialKind, natural: number | null, value: number | null = null): TestDial {
  return {
    kind,
    target: "t",
    isStored: false,
    value,
    read() {
      return this.value;
    },
    natural: () => natural,
    set(to) {
      this.value = to;
    },
  };
}

/** An hour in which nothing is the matter. */
export const WELL: Measurements = {
  calls: 100,
  lookups: 100,
  hitRate: 0.6,
  memory: 50,
  cpu: 40,
  reloads: 0,
  response: 1_000,
};

export function step(fields: Partial<Step> = {}): Step {
  return {
    id: "1",
    at: new Date(NOW).toISOString(),
    type: "cacheTtl",
    target: "t",
    action: "Keep cached replies for 7200 s instead of 3600 s",
    from: null,
    to: 7_200,
    reason: "Few hits",
    expected: "More hits",
    goal: "hitRate",
    state: "open",
    before: { ...WELL, hitRate: 0.1 },
    after: null,
    checkedAt: null,
    verdict: null,
    ...fields,
  };
}

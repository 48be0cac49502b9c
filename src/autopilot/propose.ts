/** Which steps the figures call for. Pure: figures, dials and history in, proposals out. */
import type { TrendResult } from "../analysis/types.js";
import type { Dial, DialKind } from "./levers.js";
import type { Goal, Measurements, Proposal, Step } from "./step.js";

/** When something calls for a step, and how far steps go. */
export interface AutopilotLimits {
  /** Below this hit rate replies live longer, 0..1. @default 0.3 */
  readonly hitRate: number;
  /** Above this memory is given back, percent of the machine's. @default 90 */
  readonly memoryPercent: number;
  /** Above this fewer calls run at once, percent. @default 90 */
  readonly cpuPercent: number;
  /** Above this share of calls that load the model, models stay loaded longer. @default 0.05 */
  readonly reloadsPerCall: number;
  /** Longest time to live of cached replies, seconds. @default 86400 */
  readonly longestTtlSeconds: number;
  /** Longest time that models stay loaded, seconds. @default 3600 */
  readonly longestKeepAliveSeconds: number;
  /** No load is limited to less than this, tokens. @default 4096 */
  readonly smallestWindow: number;
  /** @default 64 */
  readonly smallestBatch: number;
}

export const DEFAULT_LIMITS: AutopilotLimits = {
  hitRate: 0.3,
  memoryPercent: 90,
  cpuPercent: 90,
  reloadsPerCall: 0.05,
  longestTtlSeconds: 86_400,
  longestKeepAliveSeconds: 3_600,
  smallestWindow: 4_096,
  smallestBatch: 64,
};

export interface Situation {
  /** Milliseconds since 1970. */
  readonly now: number;
  readonly measured: Measurements;
  /** Whether the cache still has room: replies that are driven out do not live longer for a longer time to live. */
  readonly cacheHasRoom: boolean;
  /** Response times lately against before; null while there is not enough to tell. */
  readonly trend: TrendResult | null;
  readonly dials: readonly Dial[];
  readonly canRelease: boolean;
  readonly canRetune: boolean;
  /** Oldest first. */
  readonly history: readonly Step[];
}

/** Figures of fewer calls, or looks into the cache, call for nothing. */
export const ENOUGH = 30;
/** What was reverted is not tried again, in milliseconds. */
const REMEMBERED_MS = 7 * 86_400_000;
/** A release or a tuning is not repeated within, in milliseconds. */
const REST_MS = 30 * 60_000;
/** A CPU that is used less has room for a throttle to be loosened. */
const EASY = 0.7;
/** A trend counts when chance gives it less often, and when it is at least so large. */
const SURE_P = 0.01;
const SLOWER = 1.2;

/** Steps, the most pressing first; at most one for each goal, and none for a goal whose last step is still watched. */
export function proposeSteps(
  situation: Situation,
  limits: AutopilotLimits = DEFAULT_LIMITS,
): readonly Proposal[] {
  const watched = new Set(situation.history.filter(({ state }) => state === "open").map(({ goal }) => goal));
  const proposals = [memory, cpu, reloads, hitRate, degrading].flatMap((rule) => rule(situation, limits));
  const taken = new Set<Goal>();
  return proposals.filter((proposal) => {
    if (watched.has(proposal.goal) || taken.has(proposal.goal) || wasTried(proposal, situation)) return false;
    taken.add(proposal.goal);
    return true;
  });
}

function hitRate({ measured, cacheHasRoom, dials }: Situation, limits: AutopilotLimits): Proposal[] {
  const { hitRate: rate, lookups } = measured;
  if (rate === null || lookups < ENOUGH || rate >= limits.hitRate || !cacheHasRoom) return [];
  return of(dials, "cacheTtl").flatMap((dial) => {
    const from = present(dial);
    const to = Math.min(limits.longestTtlSeconds, 2 * (from ?? 0));
    if (from === null || to <= from) return [];
    return [
      {
        ...about(dial, to),
        from,
        action: `Keep cached replies for ${to} s instead of ${from} s`,
        reason: `Only ${percent(rate)} of ${lookups} lookups hit, less than ${percent(limits.hitRate)}`,
        expected: "More lookups hit",
        goal: "hitRate",
      },
    ];
  });
}

function memory(situation: Situation, limits: AutopilotLimits): Proposal[] {
  const { measured, dials, canRelease } = situation;
  const used = measured.memory;
  if (used === null || measured.calls < ENOUGH || used < limits.memoryPercent) return [];
  const reason = `${used.toFixed(0)} % of the machine's memory is used, more than ${limits.memoryPercent} %`;
  const common = { reason, expected: "Less memory is used", goal: "memory" } as const;
  const release: Proposal[] = canRelease
    ? [{ ...common, type: "release", target: "", action: "Release caches", from: null, to: null }]
    : [];
  const windows = of(dials, "window").flatMap((dial) => {
    const from = present(dial);
    const to = from === null ? 0 : 256 * Math.floor(from / 2 / 256);
    if (from === null || to < limits.smallestWindow) return [];
    const action = `Limit the next load's window to ${to} tokens instead of ${from}, where the need allows it`;
    return [{ ...common, ...about(dial, to), action }];
  });
  const batches = of(dials, "batch").flatMap((dial) => {
    const from = present(dial);
    const to = from === null ? 0 : Math.floor(from / 2);
    if (from === null || to < limits.smallestBatch) return [];
    const action = `Limit the next load's batch to ${to} tokens instead of ${from}`;
    return [{ ...common, ...about(dial, to), action }];
  });
  const [largest] = windows.sort((a, b) => (b.from ?? 0) - (a.from ?? 0));
  return [...release, ...(largest ? [largest] : []), ...batches];
}

function cpu({ measured, dials, history }: Situation, limits: AutopilotLimits): Proposal[] {
  const used = measured.cpu;
  if (used === null || measured.calls < ENOUGH) return [];
  const common = { goal: "cpu" } as const;
  return of(dials, "concurrency").flatMap((dial): Proposal[] => {
    const from = present(dial);
    if (from !== null && from > 1 && used >= limits.cpuPercent) {
      const to = Math.max(1, Math.floor(0.75 * from));
      return [
        {
          ...common,
          ...about(dial, to),
          action: `Let at most ${to} calls run at once instead of ${from}`,
          reason: `The CPU is ${used.toFixed(0)} % busy, more than ${limits.cpuPercent} %`,
          expected: "The CPU is less busy, and calls take no longer",
        },
      ];
    }
    const throttle = history.findLast(({ type, target }) => type === dial.kind && target === dial.target);
    if (throttle?.state !== "kept" || dial.read() !== throttle.to || used > EASY * limits.cpuPercent)
      return [];
    return [
      {
        ...common,
        ...about(dial, throttle.from),
        action: `Let ${throttle.from ?? "any number of"} calls run at once again`,
        reason: `The CPU is ${used.toFixed(0)} % busy: the limit of ${throttle.to} is not needed`,
        expected: "Calls wait less",
        goal: "response",
      },
    ];
  });
}

function reloads({ measured, dials }: Situation, limits: AutopilotLimits): Proposal[] {
  const rate = measured.reloads;
  const isFull = (measured.memory ?? 0) >= limits.memoryPercent;
  if (rate === null || measured.calls < ENOUGH || rate <= limits.reloadsPerCall || isFull) return [];
  return of(dials, "keepAlive").flatMap((dial) => {
    const from = present(dial);
    const to = Math.min(limits.longestKeepAliveSeconds, 2 * (from ?? 0));
    if (from === null || to <= from) return [];
    return [
      {
        ...about(dial, to),
        action: `Keep models loaded for ${to} s after a call instead of ${from} s`,
        reason: `${percent(rate)} of calls had to load the model first`,
        expected: "Fewer loads",
        goal: "reloads",
      },
    ];
  });
}

function degrading({ trend, history, dials, canRetune }: Situation): Proposal[] {
  if (trend?.verdict !== "degrading" || trend.p >= SURE_P || trend.ratio < SLOWER) return [];
  const reason = `Calls take ${percent(trend.ratio - 1)} longer than they did (p = ${trend.p.toPrecision(1)})`;
  const common = { reason, expected: "Calls take less time", goal: "response" } as const;
  const latest = history.findLast(({ state, goal }) => state === "kept" && goal !== "response");
  const dial = dials.find(({ kind, target }) => kind === latest?.type && target === latest.target);
  const undo: Proposal[] =
    latest && dial && dial.read() === latest.to
      ? [{ ...common, ...about(dial, latest.from), action: `Take back: ${latest.action}` }]
      : [];
  const retune: Proposal[] = canRetune
    ? [{ ...common, type: "retune", target: "", action: "Tune anew", from: null, to: null }]
    : [];
  return [...undo, ...retune];
}

/** Reverted lately, or done a moment ago. */
function wasTried({ type, target, to }: Proposal, { history, now }: Situation): boolean {
  return history.some((step) => {
    if (step.type !== type || step.target !== target) return false;
    const ageMs = now - Date.parse(step.at);
    if (step.state === "done") return ageMs < REST_MS;
    return step.state === "reverted" && step.to === to && ageMs < REMEMBERED_MS;
  });
}

function of(dials: readonly Dial[], kind: DialKind): readonly Dial[] {
  return dials.filter((dial) => dial.kind === kind);
}

export function present(dial: Dial): number | null {
  return dial.read() ?? dial.natural?.() ?? null;
}

function about(dial: Dial, to: number | null): Pick<Proposal, "type" | "target" | "from" | "to"> {
  return { type: dial.kind, target: dial.target, from: dial.read(), to };
}

function percent(share: number): string {
  return `${(100 * share).toFixed(0)} %`;
}

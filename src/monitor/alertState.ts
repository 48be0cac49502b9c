/** Which findings are news: a pure step from what was told to what is to be told now. */
import type { Anomaly } from "../analysis/types.js";

/** News of an anomaly: it began, or it is over. */
export interface Alert {
  readonly type: "raised" | "recovered";
  /** ISO 8601, when it was told. */
  readonly at: string;
  readonly anomaly: Anomaly;
  /** Further findings of the same since it was raised, which were not told. */
  readonly repeats: number;
}

/** What was told and is not over. */
interface OpenAlert {
  readonly anomaly: Anomaly;
  /** When it was found last, milliseconds since 1970. */
  readonly foundAt: number;
  readonly repeats: number;
}

/** By the anomaly's key. */
export interface AlertState {
  readonly open: ReadonlyMap<string, OpenAlert>;
  /** When it was raised last, milliseconds since 1970. */
  readonly raisedAt: ReadonlyMap<string, number>;
}

export const NO_ALERTS: AlertState = { open: new Map(), raisedAt: new Map() };

/** A level that has stayed so long is the usual one. */
const LASTING_MS = 24 * 3_600_000;
/** A single call below this many times the usual is told in the report; nobody is called for it. */
const LEAST_SPIKE_RATIO = 2;
/** Levels that stay until they are back; the other kinds are over when they are not found any more. */
const LASTING: ReadonlySet<Anomaly["kind"]> = new Set(["change", "slowLoads", "memoryGrowth"]);

/**
 * @param found what was found since the last step
 * @param now milliseconds since 1970
 * @param quietMs what was raised is not raised again within this time, and what does not last is over after it
 */
export function alertStep(
  state: AlertState,
  found: readonly Anomaly[],
  now: number,
  quietMs: number,
): { readonly state: AlertState; readonly alerts: readonly Alert[] } {
  const at = new Date(now).toISOString();
  const alerts: Alert[] = [];
  const open = new Map(state.open);
  const raisedAt = new Map([...state.raisedAt].filter(([, time]) => now - time < quietMs));
  const end = (key: string, { anomaly, repeats }: OpenAlert): void => {
    open.delete(key);
    alerts.push({ type: "recovered", at, anomaly, repeats });
  };

  for (const anomaly of found) {
    if (anomaly.kind === "spike" && anomaly.ratio < LEAST_SPIKE_RATIO) continue;
    const known = open.get(anomaly.key);
    if (anomaly.direction === "better") {
      for (const [key, alert] of open) if (isReturn(anomaly, alert.anomaly)) end(key, alert);
    } else if (known) {
      open.set(anomaly.key, { anomaly, foundAt: now, repeats: known.repeats + 1 });
    } else if (!raisedAt.has(anomaly.key)) {
      open.set(anomaly.key, { anomaly, foundAt: now, repeats: 0 });
      raisedAt.set(anomaly.key, now);
      alerts.push({ type: "raised", at, anomaly, repeats: 0 });
    }
  }
  for (const [key, alert] of open) {
    const lastsMs = LASTING.has(alert.anomaly.kind) ? LASTING_MS : quietMs;
    if (now - alert.foundAt >= lastsMs) end(key, alert);
  }
  return { state: { open, raisedAt }, alerts };
}

/** A change for the better of what had changed for the worse. */
function isReturn(better: Anomaly, worse: Anomaly): boolean {
  return (
    worse.kind === "change" &&
    better.metric === worse.metric &&
    JSON.stringify(better.group) === JSON.stringify(worse.group)
  );
}

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

/** What was found and is not over. */
interface OpenAlert {
  readonly anomaly: Anomaly;
  /** When it was found last, milliseconds since 1970. */
  readonly foundAt: number;
  readonly repeats: number;
  /** The same was told a moment ago: it is told when the quiet time is over, if it is not over before. */
  readonly isHeld: boolean;
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
  // A time in the future is from a clock that ran ahead and was put right.
  const raisedAt = new Map([...state.raisedAt].filter(([, time]) => Math.abs(now - time) < quietMs));
  const end = (key: string, { anomaly, repeats, isHeld }: OpenAlert): void => {
    open.delete(key);
    if (!isHeld) alerts.push({ type: "recovered", at, anomaly, repeats });
  };
  const raise = (anomaly: Anomaly, foundAt: number, repeats: number): void => {
    open.set(anomaly.key, { anomaly, foundAt, repeats, isHeld: false });
    raisedAt.set(anomaly.key, now);
    alerts.push({ type: "raised", at, anomaly, repeats });
  };

  for (const anomaly of found) {
    if (anomaly.kind === "spike" && anomaly.ratio < LEAST_SPIKE_RATIO) continue;
    const known = open.get(anomaly.key);
    if (anomaly.direction === "better") {
      for (const [key, alert] of open) if (isReturn(anomaly, alert.anomaly)) end(key, alert);
    } else if (known) {
      open.set(anomaly.key, { ...known, anomaly, foundAt: now, repeats: known.repeats + 1 });
    } else if (!raisedAt.has(anomaly.key)) {
      raise(anomaly, now, 0);
    } else if (LASTING.has(anomaly.kind)) {
      // It is found once, when it begins: nothing else would tell of it later.
      open.set(anomaly.key, { anomaly, foundAt: now, repeats: 0, isHeld: true });
    }
  }
  for (const [key, alert] of open) {
    if (alert.isHeld && !raisedAt.has(key)) raise(alert.anomaly, alert.foundAt, alert.repeats);
  }
  for (const [key, alert] of open) {
    const lastsMs = LASTING.has(alert.anomaly.kind) ? LASTING_MS : quietMs;
    if (Math.abs(now - alert.foundAt) >= lastsMs) end(key, alert);
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

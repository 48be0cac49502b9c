/** What the traces of a run amount to, against the bars. */
import type { Trace } from "./run.js";

/** Loads while a program warms up are not counted against the bar. */
const WARM_UP_CALLS = 50;

/** One strategy. Seconds, bytes, tokens. */
export interface Summary {
  readonly calls: number;
  /** By `load_duration`, and by a changed window in `/api/ps`. */
  readonly loads: number;
  readonly loadsByWindow: number;
  readonly lateLoads: number;
  /** Replies to fewer prompt tokens than the prompt has. */
  readonly cut: number;
  /** Calls that failed before the user. */
  readonly refused: number;
  readonly retries: number;
  readonly wallSeconds: number;
  readonly loadSeconds: number;
  readonly promptSeconds: number;
  readonly outputSeconds: number;
  /** Largest size in `/api/ps`, less that of the smallest window. */
  readonly memoryBytes: number;
  readonly finalWindow: number;
  readonly meanWindow: number;
}

/**
 * @param smallestBytes size in `/api/ps` with the smallest window
 * @param reloadMs a `load_duration` above it is a load
 */
export function summarize(traces: readonly Trace[], smallestBytes: number, reloadMs: number): Summary {
  const sum = (pick: (trace: Trace) => number) => traces.reduce((total, trace) => total + pick(trace), 0);
  const count = (is: (trace: Trace) => boolean) => sum((trace) => Number(is(trace)));
  return {
    calls: traces.length,
    loads: count(({ loadMs }) => loadMs > reloadMs),
    loadsByWindow: count((trace) => changedWindow(trace, traces)),
    lateLoads: count(({ call, loadMs }) => call >= WARM_UP_CALLS && loadMs > reloadMs),
    cut: count(({ refused, promptTokens, exactTokens }) => refused === null && promptTokens < exactTokens),
    refused: count(({ refused }) => refused !== null),
    retries: sum(({ retries }) => retries),
    wallSeconds: sum(({ wallMs }) => wallMs) / 1e3,
    loadSeconds: sum(({ loadMs }) => loadMs) / 1e3,
    promptSeconds: sum(({ promptMs }) => promptMs) / 1e3,
    outputSeconds: sum(({ outputMs }) => outputMs) / 1e3,
    memoryBytes: Math.max(...traces.map(({ sizeBytes }) => sizeBytes)) - smallestBytes,
    finalWindow: traces.at(-1)!.window,
    meanWindow: sum(({ window }) => window) / traces.length,
  };
}

function changedWindow({ call, window }: Trace, traces: readonly Trace[]): boolean {
  return window !== (traces[call - 1]?.window ?? 0);
}

/** Half of the quickest load that `/api/ps` shows: warm calls say 1 to 72 ms, loads 250 ms and more. */
export function reloadThresholdMs(runs: readonly (readonly Trace[])[]): number {
  const loads = runs.flatMap((traces) =>
    traces.filter((trace) => changedWindow(trace, traces) && trace.loadMs > 0),
  );
  return Math.min(...loads.map(({ loadMs }) => loadMs)) / 2;
}

export interface Bar {
  readonly what: string;
  readonly measured: number;
  readonly atMost: number;
  readonly isMet: boolean;
}

export function bars(byName: Readonly<Record<string, Summary>>): readonly Bar[] {
  const ours = byName["this package"]!;
  const against = (name: string, pick: (summary: Summary) => number) => pick(ours) / pick(byName[name]!);
  const wall = ({ wallSeconds }: Summary) => wallSeconds;
  const memory = ({ memoryBytes }: Summary) => memoryBytes;
  const list: [string, number, number][] = [
    ["cut answers", ours.cut, 0],
    ["calls refused", ours.refused, 0],
    // A shorter run has most of its growth behind it as well: it is not scaled up.
    [`loads after call ${WARM_UP_CALLS}`, ours.lateLoads, Math.ceil(ours.calls / 1_000)],
    ["time / per request", against("per request", wall), 0.6],
    ["time / fixed maximum", against("fixed maximum", wall), 1.02],
    ["time / sticky doubling", against("sticky doubling", wall), 1],
    ["memory / fixed maximum", against("fixed maximum", memory), 0.5],
    ["memory / sticky doubling", against("sticky doubling", memory), 0.8],
  ];
  return list.map(([what, measured, atMost]) => ({ what, measured, atMost, isMet: measured <= atMost }));
}

/** The table of the README. */
export function markdown(byName: Readonly<Record<string, Summary>>): string {
  const head = [
    "window chosen by",
    "loads",
    "after call 50",
    "answers cut",
    "calls refused",
    "time, s",
    "loading, s",
    "reading prompts, s",
    "memory beyond the weights, MB",
    "final window",
  ];
  const rows = Object.entries(byName).map(([name, s]) => [
    name === "this package" ? "**this package**" : name,
    s.loads,
    s.lateLoads,
    s.cut,
    s.refused,
    s.wallSeconds.toFixed(1),
    s.loadSeconds.toFixed(1),
    s.promptSeconds.toFixed(1),
    Math.round(s.memoryBytes / 1e6),
    s.finalWindow,
  ]);
  return [head, ["---", ...head.slice(1).map(() => "---:")], ...rows]
    .map((row) => `| ${row.join(" | ")} |`)
    .join("\n");
}

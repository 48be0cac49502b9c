/**
 * Results of the analysis as plain data: everything here may be sent as JSON. Times are ISO 8601 in UTC, durations
 * milliseconds, counts tokens, shares 0 to 1.
 */

/** What the data cannot answer yet. */
export interface NotEnough {
  readonly enough: false;
  readonly have: number;
  readonly need: number;
  /** "not enough data (7 of 30)" */
  readonly text: string;
}

/** A result, or why there is none. */
export type Measured<T> = ({ readonly enough: true } & T) | NotEnough;

/** Records that were not taken in, by what was wrong with them. */
export interface Refused {
  readonly records: number;
  /** e.g. `{ "at is in the future": 2, "totalMs is negative": 1 }` */
  readonly reasons: Readonly<Record<string, number>>;
}

/** Calls that are compared with each other: one prompt shape of one model on one server. */
export interface Group {
  readonly serverId: string;
  readonly model: string;
  /** null: calls that no template was found for. */
  readonly templateId: string | null;
}

/** What is out of the ordinary about calls, loads or the machine. */
export type AnomalyKind =
  /** One call that took far longer than its group does. */
  | "spike"
  /** The group's level changed and stayed. */
  | "change"
  /** Loads in quick succession. */
  | "reloadStorm"
  /** Loads take longer than they did. */
  | "slowLoads"
  /** Memory grows and does not come back. */
  | "memoryGrowth"
  /** Memory or CPU above 1.5 x its mean. */
  | "resource"
  /** Many more or fewer requests than usual. */
  | "volume";

/** What an anomaly comes from, where the records can tell. */
export type Cause =
  | "reload"
  | "slowDisk"
  | "memoryLeak"
  | "spill"
  | "longerPrompts"
  | "longerReplies"
  | "coldPrefix"
  | "queue"
  | "busyMachine";

/** What an anomaly was found in; its numbers are in this metric's unit. */
export type AnomalyMetric =
  | "responseMs"
  /** Response time without the load, by token (a prompt token weighs what it costs against one of output). */
  | "msPerToken"
  | "loadMs"
  | "loads"
  | "memoryBytes"
  | "cpuPercent"
  | "requests";

/** Something out of the ordinary: where, since when, how large, and why. */
export interface Anomaly {
  /** The same for repeats of one finding: what alerts leave out repeats by. */
  readonly key: string;
  readonly kind: AnomalyKind;
  readonly metric: AnomalyMetric;
  /** null: the machine or all requests together. */
  readonly group: Group | null;
  /** The moment it began: of a spike its call, of a change the first call at the new level. */
  readonly at: string;
  /** Start of the call, or of the bucket of time, that showed it. */
  readonly noticedAt: string;
  /** The call that showed it; null for those of the machine or of all requests. */
  readonly requestId: string | null;
  /** What was usual, what was found, in the metric's unit; ratio = found / expected. */
  readonly expected: number;
  readonly found: number;
  readonly ratio: number;
  /** "better" for a change to the fast side; else "worse". */
  readonly direction: "worse" | "better";
  /** Evidence: robust z of a spike, CUSUM statistic of a change, else -log10 of the test's p. */
  readonly score: number;
  readonly cause: Cause | null;
  /** One sentence for people. Holds names of models and templates, never prompt text. */
  readonly text: string;
}

/** How anomalies are searched. */
export interface AnomalyOptions {
  /** Milliseconds since the epoch: what began later is refused. */
  readonly now: number;
  /**
   * "robust": median and MAD on log scale, with change points. "threeSigma": more than three standard deviations
   * above the mean of the window, on plain scale, as the classic rule has it. @default "robust"
   */
  readonly method?: "robust" | "threeSigma";
  /** Calls of a group that make its baseline: all of them until there are so many, then every second. @default 256 */
  readonly window?: number;
  /** Calls of a group before anything is judged. @default 40 */
  readonly minimum?: number;
  /** Width of the buckets in which requests are counted, ms. @default 3600000 */
  readonly volumeBucketMs?: number;
}

/** What {@link AnomalyOptions} found. */
export interface Anomalies {
  readonly anomalies: readonly Anomaly[];
  /** How far each group could be judged, most calls first. */
  readonly groups: readonly (Group & { readonly calls: number; readonly judged: Measured<object> })[];
  readonly refused: Refused;
}

/** Which way response times go; "stable" also where chance may explain the difference. */
export type TrendVerdict = "improving" | "degrading" | "stable";

/** Recent calls against those before. */
export interface TrendResult {
  readonly verdict: TrendVerdict;
  /** Recent median over historic median; 1.1 = 10 % slower. */
  readonly ratio: number;
  /** Two-sided p of the rank-sum test: how likely chance alone gives such a difference. */
  readonly p: number;
  /** 1 - p. */
  readonly confidence: number;
  readonly recentMs: number;
  readonly historyMs: number;
  readonly recentCalls: number;
  readonly historyCalls: number;
  /** Theil-Sen slope as change per day: 0.02 = 2 % slower each day; null where the calls span less than a day. */
  readonly changePerDay: number | null;
}

/** Whether calls got slower or faster, all together and by group. */
export interface Trends {
  readonly metric: "responseMs" | "msPerToken" | "timeToFirstTokenMs";
  /** All groups together, each compared with itself only, so that another mixture of calls is no trend. */
  readonly overall: Measured<TrendResult>;
  /** Most time spent first. */
  readonly groups: readonly (Group & { readonly trend: Measured<TrendResult> })[];
  readonly refused: Refused;
}

/** Expected requests of one hour. */
export interface ForecastHour {
  /** Start of the hour, UTC. */
  readonly at: string;
  /** In the time zone asked for. 0 = Monday. */
  readonly weekday: number;
  readonly hour: number;
  readonly expected: number;
  /** Prediction interval. */
  readonly low: number;
  readonly high: number;
}

/** What to do before a busy or quiet hour. */
export interface Advice {
  readonly kind: "preload" | "scale";
  readonly at: string;
  readonly model: string | null;
  readonly text: string;
}

/** The coming hours, from the hours of the week that were seen. */
export interface Forecast {
  readonly timeZone: string;
  /** Share of hours that the interval is to hold, e.g. 0.9. */
  readonly level: number;
  readonly hours: Measured<{
    readonly next: readonly ForecastHour[];
    /** Expected requests by weekday (0 = Monday) and hour. */
    readonly week: readonly (readonly number[])[];
    readonly historyHours: number;
    /** Whether the hours of the week differ, or those of the day only (under three weeks of history). */
    readonly profile: "day" | "week";
  }>;
  readonly advice: readonly Advice[];
  readonly refused: Refused;
}

/** Figures of a cache, as it counts them. */
export interface CacheFigures {
  readonly name: string;
  readonly size: number;
  readonly maxSize: number | null;
  readonly hits: number;
  readonly misses: number;
  readonly timeSavedMs: number | null;
}

/** A step that was applied, as its history tells it. */
export interface AppliedStep {
  readonly type: string;
  readonly action: string;
  readonly at: string;
  readonly reason: string;
  /** What the check afterwards said; null while it is open. */
  readonly outcome: "kept" | "reverted" | null;
}

/** Money per 1,000 tokens, in the currency of the {@link Prices}. */
export interface TokenPrice {
  readonly inputPer1k: number;
  readonly outputPer1k: number;
  /** Prompt tokens from the prefix cache. @default inputPer1k */
  readonly cachedInputPer1k?: number;
}

/** What things cost. Every part is optional; what has no price has no cost, it is not free. */
export interface Prices {
  /** For display, e.g. "EUR". @default "USD" */
  readonly currency?: string;
  /** IANA name: where days, weeks and months begin. @default "UTC" */
  readonly timeZone?: string;
  /** By model, with its tag; "*" for all others. */
  readonly models?: Readonly<Record<string, TokenPrice>>;
  /** Price of an hour in which a server works. */
  readonly computePerHour?: number;
  readonly electricity?: {
    readonly perKilowattHour: number;
    /** Draw of a working server in watts: a setting, or measured for the time of a call (null: not known). */
    readonly watts: number | ((request: { readonly at: string; readonly serverId: string }) => number | null);
  };
  /** Price lists to compare with, by a name of your own: what the same tokens would have cost there. */
  readonly hosted?: Readonly<Record<string, TokenPrice>>;
}

/** What some calls cost. null: nothing to reckon it from. */
export interface CostLine {
  readonly calls: number;
  readonly failedCalls: number;
  readonly inputTokens: number;
  /** Of inputTokens, from the prefix cache. */
  readonly cachedTokens: number;
  readonly outputTokens: number;
  /** Calls without token counts: their tokens are in no sum. */
  readonly uncountedCalls: number;
  /** Calls of models without a price. */
  readonly unpricedCalls: number;
  /** Calls of models without a price of their own, charged at that of all others ("*"). */
  readonly otherPricedCalls: number;
  /** Time that callers waited, all calls added up. */
  readonly callMs: number;
  /** Time that servers worked: calls at the same time count once. */
  readonly computeMs: number;
  /** Of the prompt and of the reply. */
  readonly inputCost: number | null;
  readonly outputCost: number | null;
  readonly tokenCost: number | null;
  readonly computeCost: number | null;
  readonly kilowattHours: number | null;
  readonly electricityCost: number | null;
  /** The parts that have a price; null when none has. */
  readonly totalCost: number | null;
  readonly hosted: Readonly<Record<string, number>>;
}

/** Costs in one currency: in total, by time, and by what caused them. */
export interface Costs {
  readonly currency: string;
  readonly timeZone: string;
  readonly total: CostLine;
  /** "2026-11-21" */
  readonly byDay: Readonly<Record<string, CostLine>>;
  /** ISO 8601 weeks, "2026-W47" */
  readonly byWeek: Readonly<Record<string, CostLine>>;
  /** "2026-11" */
  readonly byMonth: Readonly<Record<string, CostLine>>;
  readonly byModel: Readonly<Record<string, CostLine>>;
  /** "none" for calls without a template, a tag or an owner. A call counts under each of its tags. */
  readonly byTemplate: Readonly<Record<string, CostLine>>;
  readonly byTag: Readonly<Record<string, CostLine>>;
  readonly byOwner: Readonly<Record<string, CostLine>>;
  readonly refused: Refused;
}

/** A way of sizing the window that the log is replayed against. */
export interface Counterfactual {
  readonly policy: "perRequest" | "stickyDoubling";
  /** How it decides, for people. */
  readonly rule: string;
  readonly loads: number;
  /** Its loads less those that happened; below 0 it would have loaded less often. */
  readonly loadsAvoided: number;
  /** loadsAvoided x the median load seen; null when no load was seen. */
  readonly timeSavedMs: number | null;
}

/** The log replayed against other ways of sizing the window. */
export interface Replay {
  /** Calls whose size is known. */
  readonly calls: number;
  readonly loads: number;
  readonly medianLoadMs: number | null;
  /** Prompts longer than Ollama's default window of 4,096: it would have cut them without a word. */
  readonly longerThanDefault: number;
  readonly counterfactuals: readonly Counterfactual[];
  /** What the replay takes for granted. */
  readonly assumptions: readonly string[];
}

/** Of a distribution, in milliseconds. */
export interface Percentiles {
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
}

/** A point of a chart: one bucket of time. */
export interface ChartPoint {
  readonly at: string;
  readonly calls: number;
  readonly errors: number;
  readonly p10: number | null;
  readonly p50: number | null;
  readonly p90: number | null;
}

/** Anomalies of one place and one cause. */
export interface Finding {
  readonly kind: AnomalyKind;
  readonly cause: Cause | null;
  readonly group: Group | null;
  readonly times: number;
  readonly firstAt: string;
  readonly lastAt: string;
  readonly text: string;
}

/** Something to do, and why. */
export interface Recommendation {
  /** What to do, in plain words. */
  readonly text: string;
  /** What it follows from. */
  readonly because: string;
}

/** B7: 70 + 30 x hit rate - 10 for each finding (30 at most), between 0 and 100. */
export interface EfficiencyScore {
  readonly value: number;
  readonly formula: string;
  readonly base: number;
  readonly caches: number;
  readonly findings: number;
}

/** A period as data. `reportMarkdown` and `reportHtml` show it. */
export interface Report {
  readonly title: string;
  /** When it was made, and the first and last call it saw (null: none). */
  readonly madeAt: string;
  readonly from: string | null;
  readonly to: string | null;
  readonly timeZone: string;
  readonly summary: {
    readonly efficiencyScore: Measured<EfficiencyScore>;
    readonly calls: number;
    readonly errors: Readonly<Record<string, number>>;
    readonly inputTokens: number;
    readonly cachedTokens: number;
    readonly outputTokens: number;
    readonly responseMs: Measured<Percentiles>;
    readonly timeToFirstTokenMs: Measured<Percentiles>;
    /** Output tokens over output time. */
    readonly tokensPerSecond: number | null;
    readonly cut: number;
    readonly shifted: number;
    /** Prompts that were asked before, word for word. */
    readonly repeatedPrompts: number;
    readonly repeatedMs: number;
  };
  readonly caches: { readonly hitRate: number | null; readonly figures: readonly CacheFigures[] };
  readonly findings: readonly Finding[];
  /** The newest, at most 200, oldest first; `anomalyCount` counts all. */
  readonly anomalies: readonly Anomaly[];
  readonly anomalyCount: number;
  readonly trends: Trends;
  readonly forecast: Forecast;
  readonly replay: Replay;
  readonly costs: Costs | null;
  readonly recommendations: readonly Recommendation[];
  readonly applied: readonly AppliedStep[];
  readonly chart: readonly ChartPoint[];
  readonly refused: Refused;
}

/** Whether calls became faster or slower: recent ones against those before, group by group. */
import type { RequestRecord } from "../records.js";
import type { Call } from "./call.js";
import { Door } from "./door.js";
import { entryOf } from "./entryOf.js";
import { monotony } from "./mannKendall.js";
import { notEnough } from "./notEnough.js";
import { invalid, within } from "./optionValues.js";
import { atOnce } from "./pace.js";
import { type RankSum, rankSum, rankSumP, vanElterenP } from "./rankSum.js";
import { Thinned } from "./thinned.js";
import type { Group, Measured, TrendResult, Trends, TrendVerdict } from "./types.js";

/** Which calls count as recent, and what is compared. */
export interface TrendOptions {
  /** Milliseconds since the epoch: what began later is refused. */
  readonly now: number;
  /** @default "responseMs" */
  readonly metric?: Trends["metric"];
  /** How far back "recent" reaches from `now`, ms. @default the last quarter of the calls of each group */
  readonly recentMs?: number;
  /** Groups that are told of, those with most time spent first. @default 20 */
  readonly groups?: number;
}

/** Calls of a group that are looked at: with 1,024, a change of 10 % shows at a spread of 0.4. */
const SAMPLE = 1024;
/** Calls on either side. */
const MINIMUM = 20;
const RECENT_SHARE = 0.25;
const GROUPS = 20;
/** How sure it must be, and how large: with enough calls chance finds a difference in everything. */
const SURE = 0.01;
const NOTABLE = 0.05;
/** Medians of so many stretches of time carry the slope. */
const SLOPE_POINTS = 48;
const DAY_MS = 86_400_000;
const METRICS: readonly Trends["metric"][] = ["responseMs", "msPerToken", "timeToFirstTokenMs"];

interface Point {
  readonly at: number;
  readonly value: number;
}

interface Collected {
  readonly group: Group;
  readonly points: Thinned<Point>;
  spentMs: number;
}

/** Collects calls and compares them at the end. */
export class TrendFinder {
  private readonly collected = new Map<Group, Collected>();
  private readonly metric: Trends["metric"];
  private readonly recentFrom: number | null;
  private readonly most: number;

  constructor(options: TrendOptions) {
    this.metric = options.metric ?? "responseMs";
    if (!METRICS.includes(this.metric)) throw invalid("metric", this.metric, METRICS.join(", "));
    const now = within("now", options.now, 0);
    this.recentFrom = options.recentMs === undefined ? null : now - within("recentMs", options.recentMs, 1);
    this.most = within("groups", options.groups ?? GROUPS, 0);
  }

  takeCall({ record, at, group }: Call): void {
    const value = measured(record, this.metric);
    if (value === null || value <= 0) return;
    const collected = this.collected.get(group) ?? this.collect(group);
    if (collected.points.isNext()) collected.points.push({ at, value });
    collected.spentMs += record.totalMs ?? 0;
  }

  private collect(group: Group): Collected {
    return entryOf(this.collected, group, () => ({ group, points: new Thinned<Point>(SAMPLE), spentMs: 0 }));
  }

  /** Pauses between groups, for those who must not block. */
  *result(refused: Trends["refused"]): Generator<undefined, Trends> {
    const largest = [...this.collected.values()].sort((a, b) => b.spentMs - a.spentMs).slice(0, this.most);
    const groups: (Compared & Pick<Collected, "group">)[] = [];
    for (const each of largest) {
      groups.push({ ...each, ...this.compare(each) });
      yield;
    }
    return {
      metric: this.metric,
      overall: overall(groups),
      groups: groups.map(({ group, trend }) => ({ ...group, trend })),
      refused,
    };
  }

  private compare({ points }: Collected): {
    readonly trend: Measured<TrendResult>;
    readonly ranks: RankSum | null;
  } {
    const inOrder = [...points.values].sort((a, b) => a.at - b.at);
    const from = this.recentFrom ?? inOrder[Math.floor((1 - RECENT_SHARE) * inOrder.length)]?.at ?? 0;
    const before = inOrder.filter((point) => point.at < from);
    const after = inOrder.filter((point) => point.at >= from);
    const fewer = Math.min(before.length, after.length);
    if (fewer < MINIMUM) return { trend: notEnough(fewer, MINIMUM), ranks: null };
    const [history, recent] = [sortedValues(before), sortedValues(after)];
    const ranks = rankSum(history, recent);
    const [historyMs, recentMs] = [middle(history), middle(recent)];
    const p = rankSumP(ranks);
    const ratio = recentMs / historyMs;
    const scale = points.count / inOrder.length;
    const trend: Measured<TrendResult> = {
      enough: true,
      verdict: verdictOf(ratio, p),
      ratio,
      p,
      confidence: 1 - p,
      recentMs,
      historyMs,
      recentCalls: Math.round(scale * after.length),
      historyCalls: Math.round(scale * before.length),
      changePerDay: changePerDay(inOrder),
    };
    return { trend, ranks };
  }
}

/**
 * Whether calls became faster or slower, for each group and for all of them together. Recent against history by the
 * rank-sum test (all groups together: van Elteren's, so that another mixture of calls is no trend); a verdict needs
 * p < 0.01 and a difference of 5 %. Calls that follow each other resemble each other, so p is rather too small.
 *
 * @throws OptimizerError `OPTION_INVALID`
 */
export function trendOf(requests: Iterable<RequestRecord>, options: TrendOptions): Trends {
  const finder = new TrendFinder(options);
  const door = new Door();
  for (const call of door.admitted(requests, options.now)) finder.takeCall(call);
  return atOnce(finder.result(door.refused));
}

function measured(record: RequestRecord, metric: Trends["metric"]): number | null {
  if (record.error !== null) return null;
  if (metric === "responseMs") return record.totalMs;
  if (metric === "timeToFirstTokenMs") return record.timeToFirstTokenMs;
  return record.outputMs !== null && record.outputTokens ? record.outputMs / record.outputTokens : null;
}

function verdictOf(ratio: number, p: number): TrendVerdict {
  if (p >= SURE || Math.abs(ratio - 1) < NOTABLE) return "stable";
  return ratio > 1 ? "degrading" : "improving";
}

/** Theil-Sen slope of the logarithm of medians over time; null where less than a day tells of none. */
function changePerDay(inOrder: readonly Point[]): number | null {
  if (inOrder.at(-1)!.at - inOrder[0]!.at < DAY_MS) return null;
  const size = Math.max(1, Math.ceil(inOrder.length / SLOPE_POINTS));
  const times: number[] = [];
  const values: number[] = [];
  for (let from = 0; from < inOrder.length; from += size) {
    const stretch = inOrder.slice(from, from + size);
    times.push(stretch[stretch.length >> 1]!.at / DAY_MS);
    values.push(Math.log(middle(sortedValues(stretch))));
  }
  return Math.expm1(monotony(times, values).slope);
}

interface Compared {
  readonly trend: Measured<TrendResult>;
  readonly ranks: RankSum | null;
  readonly spentMs: number;
}

/** Ratios are weighted by the time that a group takes: the one that people wait for counts. */
function overall(groups: readonly Compared[]): Measured<TrendResult> {
  const judged = groups.flatMap(({ trend, ranks, spentMs }) =>
    trend.enough && ranks ? [{ trend, ranks, spentMs }] : [],
  );
  if (judged.length === 0) {
    const most = Math.max(0, ...groups.map(({ trend }) => (trend.enough ? 0 : trend.have)));
    return notEnough(most, MINIMUM);
  }
  const dated = judged.filter(({ trend }) => trend.changePerDay !== null);
  const weighted = (pick: (trend: TrendResult) => number, over = judged): number => {
    const spent = over.reduce((sum, each) => sum + each.spentMs, 0) || 1;
    return over.reduce((sum, { trend, spentMs }) => sum + (pick(trend) * spentMs) / spent, 0);
  };
  const total = (pick: (trend: TrendResult) => number): number =>
    judged.reduce((sum, { trend }) => sum + pick(trend), 0);
  const ratio = Math.exp(weighted((trend) => Math.log(trend.ratio)));
  const p = vanElterenP(judged.map(({ ranks }) => ranks));
  return {
    enough: true,
    verdict: verdictOf(ratio, p),
    ratio,
    p,
    confidence: 1 - p,
    recentMs: weighted((trend) => trend.recentMs),
    historyMs: weighted((trend) => trend.historyMs),
    recentCalls: total((trend) => trend.recentCalls),
    historyCalls: total((trend) => trend.historyCalls),
    changePerDay: dated.length === 0 ? null : weighted((trend) => trend.changePerDay!, dated),
  };
}

function sortedValues(points: readonly Point[]): Float64Array {
  return Float64Array.from(points, ({ value }) => value).sort();
}

function middle(values: Float64Array): number {
  return (values[(values.length - 1) >> 1]! + values[values.length >> 1]!) / 2;
}

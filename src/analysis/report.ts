/** Everything that a request log says about a period, in one pass over it. */
import type { RequestRecord } from "../records.js";
import { Accountant } from "./accountant.js";
import { AnomalyDetector } from "./anomalies.js";
import { ChartSeries } from "./chartSeries.js";
import { Door } from "./door.js";
import { efficiency } from "./efficiency.js";
import { FindingCollector } from "./findings.js";
import { Forecaster, type ForecastOptions } from "./forecast.js";
import { LogHistogram } from "./logHistogram.js";
import { notEnough } from "./notEnough.js";
import { within } from "./optionValues.js";
import { paced, startPace } from "./pace.js";
import { PromptSet } from "./promptSet.js";
import { recommendationsOf } from "./recommendations.js";
import { Replayer } from "./replay.js";
import { TrendFinder, type TrendOptions } from "./trend.js";
import type {
  Anomaly,
  AnomalyOptions,
  AppliedStep,
  CacheFigures,
  Measured,
  Percentiles,
  Prices,
  Report,
} from "./types.js";

/** What a report covers, and what it is told beside the log. */
export interface ReportOptions {
  /** Milliseconds since the epoch: what began later is refused, and the forecast begins here. */
  readonly now: number;
  /** @default "Optimization report" */
  readonly title?: string;
  /** IANA name. @default "UTC" */
  readonly timeZone?: string;
  /** Figures of caches, from the caches themselves. */
  readonly caches?: readonly CacheFigures[];
  /** What was applied, oldest first. */
  readonly applied?: readonly AppliedStep[];
  /** Left out, the report has no costs. `timeZone` is the report's unless set. */
  readonly prices?: Prices;
  readonly anomalies?: Omit<AnomalyOptions, "now">;
  readonly trend?: Omit<TrendOptions, "now">;
  readonly forecast?: Omit<ForecastOptions, "now" | "timeZone">;
}

/** Calls before there are percentiles and a score. */
const MINIMUM = 20;
/** Anomalies that a report lists. */
const LISTED = 200;
/** Groups that a report compares with their past. */
const TREND_GROUPS = 10;
/** Records between two looks at the time. */
const LOOK_EVERY = 64;

/**
 * The report of a request log. Takes the log in one pass and lets the event loop run in between: 100,000 requests hold
 * it up for no more than some milliseconds at a time (`bench/analysis.bench.ts`).
 *
 * @param requests in the order of the log, e.g. `store.requests({ since })`
 * @throws OptimizerError `OPTION_INVALID`
 */
export async function reportOf(
  requests: Iterable<RequestRecord> | AsyncIterable<RequestRecord>,
  options: ReportOptions,
): Promise<Report> {
  const collector = new Collector(options);
  const pace = startPace();
  let seen = 0;
  if (Symbol.iterator in requests) {
    for (const record of requests) {
      collector.take(record);
      if (++seen % LOOK_EVERY === 0 && pace.isDue()) await pace.pause();
    }
  } else {
    for await (const record of requests) {
      collector.take(record);
      if (++seen % LOOK_EVERY === 0 && pace.isDue()) await pace.pause();
    }
  }
  return paced(collector.result(), pace);
}

class Collector {
  private readonly now: number;
  private readonly door = new Door();
  private readonly detector: AnomalyDetector;
  private readonly findings = new FindingCollector();
  private readonly trends: TrendFinder;
  private readonly forecaster: Forecaster;
  private readonly replayer = new Replayer();
  private readonly chart = new ChartSeries();
  private readonly accountant: Accountant | null;
  private readonly responses = new LogHistogram();
  private readonly firstTokens = new LogHistogram();
  private readonly prompts = new PromptSet();
  private readonly errors = new Map<string, number>();
  private anomalies: Anomaly[] = [];
  private firstAt = Number.POSITIVE_INFINITY;
  private lastAt = Number.NEGATIVE_INFINITY;
  private readonly sums = {
    calls: 0,
    inputTokens: 0,
    cachedTokens: 0,
    outputTokens: 0,
    timedTokens: 0,
    outputMs: 0,
    cut: 0,
    shifted: 0,
    repeatedPrompts: 0,
    repeatedMs: 0,
    anomalies: 0,
  };

  constructor(private readonly options: ReportOptions) {
    this.now = within("now", options.now, 0);
    const { now } = this;
    const timeZone = options.timeZone ?? "UTC";
    this.detector = new AnomalyDetector(options.anomalies);
    this.trends = new TrendFinder({ groups: TREND_GROUPS, ...options.trend, now });
    this.forecaster = new Forecaster({ ...options.forecast, timeZone, now });
    this.accountant = options.prices ? new Accountant({ timeZone, ...options.prices }) : null;
  }

  take(record: RequestRecord): void {
    const call = this.door.admit(record, this.now);
    if (call === null) return;
    const { at } = call;
    this.firstAt = Math.min(this.firstAt, at);
    this.lastAt = Math.max(this.lastAt, at);
    for (const anomaly of this.detector.takeCall(call)) this.keep(anomaly);
    this.trends.takeCall(call);
    this.forecaster.takeCall(call);
    this.replayer.takeCall(call);
    this.chart.takeCall(call);
    this.accountant?.takeCall(call);
    this.add(record);
  }

  *result(): Generator<undefined, Report> {
    const { sums, options } = this;
    const { refused } = this.door;
    const { groups } = this.detector.state();
    yield;
    const calls = new Map(groups.map((each) => [groupKey(each), each.calls]));
    const findings = this.findings.result((group) => calls.get(groupKey(group)) ?? 0);
    yield;
    const trends = yield* this.trends.result(refused);
    const forecast = yield* this.forecaster.result(refused);
    const costs = this.accountant ? yield* this.accountant.result(refused) : null;
    yield;
    const figures = options.caches ?? [];
    const hitRate = hitRateOf(figures);
    const known: Omit<Report, "recommendations" | "title" | "madeAt"> = {
      from: sums.calls > 0 ? new Date(this.firstAt).toISOString() : null,
      to: sums.calls > 0 ? new Date(this.lastAt).toISOString() : null,
      timeZone: forecast.timeZone,
      summary: {
        efficiencyScore:
          sums.calls < MINIMUM
            ? notEnough(sums.calls, MINIMUM)
            : { enough: true, ...efficiency(hitRate, findings.length) },
        calls: sums.calls,
        errors: Object.fromEntries(this.errors),
        inputTokens: sums.inputTokens,
        cachedTokens: sums.cachedTokens,
        outputTokens: sums.outputTokens,
        responseMs: percentiles(this.responses),
        timeToFirstTokenMs: percentiles(this.firstTokens),
        tokensPerSecond: sums.outputMs > 0 ? (1000 * sums.timedTokens) / sums.outputMs : null,
        cut: sums.cut,
        shifted: sums.shifted,
        repeatedPrompts: sums.repeatedPrompts,
        repeatedMs: sums.repeatedMs,
      },
      caches: { hitRate, figures },
      findings,
      anomalies: this.anomalies.slice(-LISTED),
      anomalyCount: sums.anomalies,
      trends,
      forecast,
      replay: this.replayer.result(),
      costs,
      applied: options.applied ?? [],
      chart: this.chart.points(),
      refused,
    };
    return {
      title: options.title ?? "Optimization report",
      madeAt: new Date(this.now).toISOString(),
      ...known,
      recommendations: recommendationsOf(known),
    };
  }

  private keep(anomaly: Anomaly): void {
    this.sums.anomalies++;
    this.findings.take(anomaly);
    this.anomalies.push(anomaly);
    if (this.anomalies.length > 2 * LISTED) this.anomalies = this.anomalies.slice(-LISTED);
  }

  private add(record: RequestRecord): void {
    const { sums } = this;
    sums.calls++;
    if (record.error !== null) this.errors.set(record.error, (this.errors.get(record.error) ?? 0) + 1);
    else if (record.totalMs !== null) this.responses.add(record.totalMs);
    if (record.timeToFirstTokenMs !== null) this.firstTokens.add(record.timeToFirstTokenMs);
    sums.inputTokens += record.promptTokens ?? 0;
    sums.cachedTokens += record.cachedTokens ?? 0;
    sums.outputTokens += record.outputTokens ?? 0;
    if (record.outputMs !== null && record.outputTokens !== null) {
      sums.timedTokens += record.outputTokens;
      sums.outputMs += record.outputMs;
    }
    if (record.decision?.outcome?.cut) sums.cut++;
    if (record.decision?.outcome?.shifted) sums.shifted++;
    if (record.promptHash && record.error === null && this.prompts.hasSeen(record.promptHash, record.model)) {
      sums.repeatedPrompts++;
      sums.repeatedMs += record.totalMs ?? 0;
    }
  }
}

function groupKey({
  serverId,
  model,
  templateId,
}: {
  serverId: string;
  model: string;
  templateId: string | null;
}): string {
  return JSON.stringify([serverId, model, templateId]);
}

function percentiles(histogram: LogHistogram): Measured<Percentiles> {
  if (histogram.count < MINIMUM) return notEnough(histogram.count, MINIMUM);
  return {
    enough: true,
    p50: histogram.quantile(0.5),
    p90: histogram.quantile(0.9),
    p99: histogram.quantile(0.99),
  };
}

/** Of all caches together; null when none was asked anything. */
function hitRateOf(caches: readonly CacheFigures[]): number | null {
  const hits = caches.reduce((sum, cache) => sum + cache.hits, 0);
  const asked = hits + caches.reduce((sum, cache) => sum + cache.misses, 0);
  return asked > 0 ? hits / asked : null;
}

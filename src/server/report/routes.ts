/** How it went, what it cost, what was out of the ordinary, and what to turn: from the store's request log. */
import type { Context, Hono } from "hono";
import { accepts } from "hono/accepts";
import { reportOf } from "../../analysis/report.js";
import { reportHtml } from "../../analysis/reportHtml.js";
import { reportMarkdown } from "../../analysis/reportMarkdown.js";
import type { CacheFigures, Report } from "../../analysis/types.js";
import { type AutopilotRun, appliedSteps, type Step } from "../../autopilot/index.js";
import type { CacheStatistics } from "../../cache/index.js";
import type { RequestRecord } from "../../records.js";
import type { ServerContext } from "../options.js";
import { refused, wholeNumberOf, wordOf } from "../query.js";
import { readJsonBody } from "../requestBody.js";
import { searchAnomalies } from "./anomalySearch.js";
import { callFigures } from "./callFigures.js";
import { costs } from "./costs.js";
import { jsonBody } from "./jsonBody.js";
import { rate, ratingCounts } from "./ratings.js";
import type { Watch } from "./watch.js";

const DAY_MS = 86_400_000;
/** The page needs nothing from anywhere, and runs nothing. */
const PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'";
/** Steps that the status tells, the newest. */
const SHOWN_STEPS = 50;
const NO_CACHE: CacheStatistics = {
  size: 0,
  maxSize: 0,
  bytes: 0,
  maxBytes: 0,
  hits: 0,
  misses: 0,
  hitRate: 0,
  ttlSeconds: null,
  requestsSaved: 0,
  timeSavedMs: 0,
  costSaved: 0,
  evictions: 0,
  skipped: { sampled: 0, cut: 0, empty: 0, other: 0 },
  failures: 0,
};

export function addReportRoutes(app: Hono, context: ServerContext, watch: Watch): void {
  const { store, bodyLimitBytes } = context;
  const { autopilot, alerts, reporting } = watch;
  const shared = new Shared();
  /** Until then steps and ratings of the time before this start are not known. A store that is away says so itself. */
  const isRead = store.ready().catch(() => {});
  const body = (asked: Context): Promise<Uint8Array> => readJsonBody(asked.req.raw, bodyLimitBytes);

  /** The requests of the last days. @throws OptimizerError `OPTION_INVALID` */
  const period = (asked: Context, otherwise: number) => {
    const query = new URL(asked.req.url).searchParams;
    const days = wholeNumberOf(query, "days", { least: 1, most: 365, otherwise });
    const now = Date.now();
    const since = new Date(now - days * DAY_MS).toISOString();
    return {
      query,
      days,
      now,
      since,
      requests: (): AsyncIterable<RequestRecord> => store.requests({ since }),
    };
  };

  app.get("/optimization/report", async (asked) => {
    const { days, now, requests } = period(asked, 7);
    await isRead;
    const report = await shared.once(`report ${days}`, async () =>
      reportOf(requests(), {
        now,
        timeZone: reporting.timeZone,
        prices: reporting.prices,
        applied: appliedSteps(autopilot.steps()),
        caches: reporting.cache ? [cacheFigures(await reporting.cache.statistics())] : [],
      }),
    );
    return reportAnswer(asked, report);
  });

  app.get("/optimization/metrics", async (asked) => {
    const { days, now, since, requests } = period(asked, 7);
    await isRead;
    const figures = await shared.once(`metrics ${days}`, () => callFigures(requests(), now));
    return Response.json({ days, since, ...figures, ratings: ratingCounts(store, since) });
  });

  app.get("/optimization/anomalies", async (asked) => {
    const { query, days, now, requests } = period(asked, 7);
    const method = wordOf(query, "method", ["robust", "threeSigma"]);
    const found = await shared.once(`anomalies ${days} ${method}`, () =>
      searchAnomalies(requests(), { now, method }),
    );
    return Response.json({ days, ...found, open: alerts.open });
  });

  app.get("/optimization/costs", async (asked) => {
    const { days, now, requests } = period(asked, 30);
    const { prices, timeZone } = reporting;
    const spent = await shared.once(`costs ${days}`, () => costs(requests(), { timeZone, ...prices }, now));
    return Response.json({ days, ...spent });
  });

  app.get("/optimization/cache-stats", async () => {
    const statistics = (await reporting.cache?.statistics()) ?? NO_CACHE;
    // Of the log: the monitor knows nothing of the day before its start.
    const now = Date.now();
    const since = new Date(now - DAY_MS).toISOString();
    const { promptTokens, cachedTokens } = await shared.once("day", () =>
      callFigures(store.requests({ since }), now),
    );
    return Response.json({
      enabled: reporting.cache !== undefined,
      cache: {
        size: statistics.size,
        max_size: statistics.maxSize,
        hits: statistics.hits,
        misses: statistics.misses,
        hit_rate_percent: 100 * statistics.hitRate,
        ttl_seconds: statistics.ttlSeconds,
        skipped_sampled: statistics.skipped.sampled,
        skipped_cut: statistics.skipped.cut,
        skipped_empty: statistics.skipped.empty,
        skipped_other: statistics.skipped.other,
      },
      performance_impact: {
        requests_saved: statistics.requestsSaved,
        time_saved_estimate_seconds: statistics.timeSavedMs / 1_000,
        cost_saved_usd: statistics.costSaved,
      },
      prefix_cache: { prompt_tokens: promptTokens, cached_tokens: cachedTokens },
    });
  });

  app.post("/optimization/ratings", async (asked) => rate(store, await body(asked), Date.now));

  app.post("/optimization/auto-optimize", async (asked) =>
    Response.json(runAnswer(await autopilot.run({ dryRun: dryRunOf(await body(asked)) }))),
  );
  const status = async (): Promise<Response> => {
    await isRead;
    const { enabled, everyMs, changedAt, lastRunAt, open } = autopilot.status();
    return Response.json({
      enabled,
      every_seconds: everyMs / 1_000,
      changed_at: changedAt,
      last_run_at: lastRunAt,
      open_steps: open,
      history: autopilot.steps().slice(-SHOWN_STEPS).map(told),
    });
  };
  app.get("/optimization/autonomous/status", status);
  app.post("/optimization/autonomous/enable", async () => {
    await autopilot.enable();
    return status();
  });
  app.post("/optimization/autonomous/disable", async () => {
    await autopilot.disable();
    return status();
  });
}

/** Those who ask for the same while it is being made share it: it reads the whole log. */
class Shared {
  private readonly running = new Map<string, Promise<unknown>>();

  once<T>(key: string, work: () => Promise<T>): Promise<T> {
    const known = this.running.get(key);
    if (known) return known as Promise<T>;
    const made = work().finally(() => this.running.delete(key));
    this.running.set(key, made);
    return made;
  }
}

function reportAnswer(asked: Context, report: Report): Response {
  const type = accepts(asked, {
    header: "Accept",
    supports: ["application/json", "text/html", "text/markdown"],
    default: "application/json",
  });
  const vary = { vary: "accept" };
  if (type === "text/html") {
    const headers = { "content-type": "text/html; charset=utf-8", "content-security-policy": PAGE_POLICY };
    return new Response(reportHtml(report), { headers: { ...headers, ...vary } });
  }
  if (type === "text/markdown") {
    const headers = { "content-type": "text/markdown; charset=utf-8", ...vary };
    return new Response(reportMarkdown(report), { headers });
  }
  const { efficiencyScore } = report.summary;
  const score = efficiencyScore.enough ? efficiencyScore.value : null;
  return Response.json(
    { ...report, summary: { ...report.summary, efficiency_score: score } },
    { headers: vary },
  );
}

function cacheFigures({ size, maxSize, hits, misses, timeSavedMs }: CacheStatistics): CacheFigures {
  return { name: "replies", size, maxSize, hits, misses, timeSavedMs };
}

/** @throws OptimizerError `OPTION_INVALID` */
function dryRunOf(bytes: Uint8Array): boolean {
  if (bytes.byteLength === 0) return false;
  const asked = jsonBody(bytes);
  if (!asked) throw refused("body", 'nothing, or JSON such as {"dry_run": true}');
  const { dry_run: dryRun = false, ...others } = asked;
  // A "dryRun" that is left out of account would change what was only to be looked at.
  if (Object.keys(others).length > 0) throw refused("body", 'nothing, or JSON such as {"dry_run": true}');
  if (typeof dryRun !== "boolean") throw refused("dry_run", "true or false");
  return dryRun;
}

function runAnswer({ steps, judged }: AutopilotRun) {
  return {
    status: "success",
    count: steps.length,
    optimizations: steps.map(told),
    checked: judged.map(told),
  };
}

function told({ type, action, at, target, from, to, reason, expected, state, verdict }: Step) {
  return { type, action, timestamp: at, target, from, to, reason, expected, state, verdict };
}

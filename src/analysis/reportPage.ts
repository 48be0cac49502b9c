/** The report as a page for people: which figures, in which order, in which words. */
import type { Block, Page, PlotPoint } from "./pageBlocks.js";
import type { CostLine, Costs, Measured, Percentiles, Report, Trends } from "./types.js";
import { duration, groupName, percent, plural, whole } from "./words.js";

/** Rows of the longest tables. */
const LISTED = 20;
const DAYS = 14;

export function reportPage(report: Report): Page {
  const time = timesIn(report.timeZone);
  const lead =
    report.from === null || report.to === null
      ? "No calls in this period."
      : `${plural(report.summary.calls, "call")} from ${time(report.from)} to ${time(report.to)} (${report.timeZone}). Made ${time(report.madeAt)}.`;
  const blocks = [
    ...summary(report),
    ...recommendations(report),
    ...charts(report, time),
    ...findings(report, time),
    ...trends(report.trends),
    ...replay(report),
    ...caches(report),
    ...forecast(report, time),
    ...(report.costs ? costs(report.costs) : []),
    ...applied(report, time),
    ...refused(report),
  ];
  return { title: report.title, lead, blocks };
}

type Time = (at: string) => string;

/** "2026-11-21 14:30" on a clock of the report's time zone. */
function timesIn(timeZone: string): Time {
  const format = new Intl.DateTimeFormat("sv-SE", { timeZone, dateStyle: "short", timeStyle: "short" });
  return (at) => format.format(new Date(at));
}

const heading = (text: string): Block => ({ kind: "heading", text });
const text = (words: string): Block => ({ kind: "text", text: words });
const table = (caption: string, head: readonly string[], rows: readonly (readonly string[])[]): Block => ({
  kind: "table",
  caption,
  head,
  rows,
});

function summary({ summary: of, findings: found, caches: { hitRate } }: Report): Block[] {
  const score = of.efficiencyScore;
  const failed = Object.values(of.errors).reduce((sum, count) => sum + count, 0);
  const parts = score.enough
    ? `Efficiency ${Math.round(score.value)} of 100 = ${score.base} + ${Number(score.caches.toFixed(1))} for caches (hit rate ${hitRate === null ? "none: no cache" : percent(hitRate)}) - ${-score.findings} for ${plural(found.length, "finding")}. Formula: ${score.formula}.`
    : `Efficiency: ${score.text}.`;
  return [
    heading("Summary"),
    text(parts),
    table(
      "Key figures",
      ["Figure", "Value"],
      [
        ["Calls", `${whole(of.calls)}, ${whole(failed)} failed`],
        ["Response time p50 / p90 / p99", percentiles(of.responseMs)],
        ["Time to first token p50 / p90 / p99", percentiles(of.timeToFirstTokenMs)],
        [
          "Output tokens per second",
          of.tokensPerSecond === null ? "not measured" : of.tokensPerSecond.toFixed(1),
        ],
        ["Prompt tokens (from the prefix cache)", `${whole(of.inputTokens)} (${whole(of.cachedTokens)})`],
        ["Output tokens", whole(of.outputTokens)],
        ["Prompts cut by the server", whole(of.cut)],
        ["Windows passed (middle of the prompt forgotten)", whole(of.shifted)],
        ["Prompts asked before, word for word", `${whole(of.repeatedPrompts)} (${duration(of.repeatedMs)})`],
        ...Object.entries(of.errors).map(([code, count]) => [`Failed with ${code}`, whole(count)]),
      ],
    ),
  ];
}

function percentiles(measured: Measured<Percentiles>): string {
  if (!measured.enough) return measured.text;
  return [measured.p50, measured.p90, measured.p99].map(duration).join(" / ");
}

function recommendations({ recommendations: given }: Report): Block[] {
  const items = given.map(({ text: what, because }) => ({ text: what, note: because }));
  return [
    heading("What to do"),
    items.length > 0 ? { kind: "list", items } : text("Nothing: no finding asks for a step."),
  ];
}

function findings({ findings: found, anomalies, anomalyCount }: Report, time: Time): Block[] {
  const newest = anomalies.slice(-LISTED).reverse();
  return [
    heading("Findings"),
    ...(found.length === 0
      ? [text("None. Single slow calls that chance explains are no finding.")]
      : [
          table(
            "Anomalies of one place and cause, put together",
            ["Finding", "Times", "First", "Last"],
            found.map((each) => [each.text, whole(each.times), time(each.firstAt), time(each.lastAt)]),
          ),
        ]),
    ...(newest.length === 0
      ? []
      : [
          table(
            `The newest ${newest.length} of ${plural(anomalyCount, "anomaly").replace("anomalys", "anomalies")}`,
            ["Began", "What"],
            newest.map((each) => [time(each.at), each.text]),
          ),
        ]),
  ];
}

function charts({ chart }: Report, time: Time): Block[] {
  if (chart.length < 2) return [];
  const responses: PlotPoint[] = chart.map(({ at, p10, p50, p90 }) => ({
    label: time(at),
    value: p50,
    low: p10,
    high: p90,
  }));
  const requests: PlotPoint[] = chart.map(({ at, calls }) => ({ label: time(at), value: calls }));
  const medians = responses.flatMap(({ value }) => (value === null ? [] : [value]));
  return [
    heading("Over time"),
    {
      kind: "plot",
      plot: {
        kind: "line",
        title: "Response time",
        description:
          medians.length === 0
            ? "No call was timed."
            : `Median with a band from the 10th to the 90th percentile. The median lies between ${duration(Math.min(...medians))} and ${duration(Math.max(...medians))}.`,
        points: responses,
        columns: ["Median", "p10", "p90"],
        format: duration,
      },
    },
    {
      kind: "plot",
      plot: {
        kind: "bars",
        title: "Requests",
        description: `Calls by stretch of time; ${whole(Math.max(...chart.map(({ calls }) => calls)))} at most.`,
        points: requests,
        columns: ["Calls"],
        format: whole,
      },
    },
  ];
}

function trends({ overall, groups }: Trends): Block[] {
  const all = overall.enough
    ? `All together: ${overall.verdict}. Recent calls take ${ratioWords(overall.ratio)} (${sure(overall.confidence)} sure by the rank-sum test within groups).`
    : `All together: ${overall.text}.`;
  return [
    heading("Trends"),
    text(all),
    ...(groups.length === 0
      ? []
      : [
          table(
            "Response time of recent calls against those before",
            ["Calls of", "Verdict", "Before", "Recent", "Sure", "Change a day"],
            groups.map((group) => {
              const { trend } = group;
              if (!trend.enough) return [groupName(group), trend.text, "", "", "", ""];
              return [
                groupName(group),
                trend.verdict,
                duration(trend.historyMs),
                duration(trend.recentMs),
                sure(trend.confidence),
                trend.changePerDay === null ? "less than a day" : signedPercent(trend.changePerDay),
              ];
            }),
          ),
        ]),
  ];
}

/** No test is wholly sure. */
function sure(confidence: number): string {
  return confidence > 0.999 ? "over 99.9 %" : percent(confidence);
}

function ratioWords(ratio: number): string {
  if (Math.abs(ratio - 1) < 0.005) return "as long as before";
  return ratio > 1 ? `${percent(ratio - 1)} longer` : `${percent(1 - ratio)} less time`;
}

function signedPercent(share: number): string {
  return `${share > 0 ? "+" : share < 0 ? "-" : ""}${percent(Math.abs(share))}`;
}

function replay({ replay: of }: Report): Block[] {
  if (of.calls === 0) return [heading("Reloads avoided"), text("No call of known size.")];
  return [
    heading("Reloads avoided"),
    text(
      `The model was loaded ${plural(of.loads, "time")} in ${plural(of.calls, "call")}${of.medianLoadMs === null ? "" : `, ${duration(of.medianLoadMs)} each in the median`}. ${plural(of.longerThanDefault, "prompt")} ${of.longerThanDefault === 1 ? "was" : "were"} longer than Ollama's default window of 4,096 tokens, which would have cut ${of.longerThanDefault === 1 ? "it" : "them"} without a word.`,
    ),
    table(
      "Against other ways of sizing the window",
      ["Instead", "Loads", "Avoided", "Time saved"],
      of.counterfactuals.map(({ rule, loads, loadsAvoided, timeSavedMs }) => [
        rule,
        whole(loads),
        signedWhole(loadsAvoided),
        timeSavedMs === null
          ? "no load was seen"
          : `${timeSavedMs < 0 ? "-" : ""}${duration(Math.abs(timeSavedMs))}`,
      ]),
    ),
    text(`Taken for granted: ${of.assumptions.join("; ")}.`),
  ];
}

function signedWhole(count: number): string {
  return count < 0 ? `-${whole(-count)}` : whole(count);
}

function caches({ caches: { hitRate, figures } }: Report): Block[] {
  if (figures.length === 0) return [];
  return [
    heading("Caches"),
    text(hitRate === null ? "No cache was asked anything." : `Hit rate ${percent(hitRate)}.`),
    table(
      "Caches",
      ["Cache", "Entries", "Hits", "Misses", "Time saved"],
      figures.map(({ name, size, maxSize, hits, misses, timeSavedMs }) => [
        name,
        maxSize === null ? whole(size) : `${whole(size)} of ${whole(maxSize)}`,
        whole(hits),
        whole(misses),
        timeSavedMs === null ? "not measured" : duration(timeSavedMs),
      ]),
    ),
  ];
}

function forecast({ forecast: { hours, level, timeZone } }: Report, time: Time): Block[] {
  if (!hours.enough)
    return [
      heading("Forecast"),
      text(
        `Requests of the coming hours: not enough data (${hours.have} of ${hours.need} hours of history).`,
      ),
    ];
  const peak = hours.next.reduce((a, b) => (b.expected > a.expected ? b : a));
  return [
    heading("Forecast"),
    {
      kind: "plot",
      plot: {
        kind: "bars",
        title: `Requests of the coming ${hours.next.length} hours`,
        description: `Expected requests by hour (${timeZone}) with an interval that holds ${percent(level)} of hours. Most are expected at ${time(peak.at)}: ${peak.expected.toFixed(1)} (${peak.low} to ${peak.high}).`,
        points: hours.next.map(({ at, expected, low, high }) => ({
          label: time(at),
          value: expected,
          low,
          high,
        })),
        columns: ["Expected", "Low", "High"],
        format: (value) => (value < 10 ? String(Number(value.toFixed(1))) : whole(value)),
      },
    },
    text(
      `From ${plural(hours.historyHours, "hour")} of history, ${hours.profile === "day" ? "by hour of the day (hours of the week from three weeks on)" : "by hour of the week"}.`,
    ),
  ];
}

function costs(of: Costs): Block[] {
  const lists = Object.keys(of.total.hosted);
  const money = (value: number | null): string =>
    value === null ? "no price" : `${value.toFixed(value < 1 ? 4 : 2)} ${of.currency}`;
  const row = (name: string, line: CostLine): string[] => [
    name,
    whole(line.calls),
    whole(line.inputTokens),
    whole(line.outputTokens),
    duration(line.computeMs),
    line.kilowattHours === null ? "not measured" : `${line.kilowattHours.toFixed(3)} kWh`,
    money(line.totalCost),
    ...lists.map((list) => money(line.hosted[list] ?? null)),
  ];
  const head = (first: string): string[] => [
    first,
    "Calls",
    "Tokens in",
    "Tokens out",
    "Server time",
    "Electricity",
    "Cost",
    ...lists.map((list) => `At ${list}`),
  ];
  const all = Object.entries(of.byDay);
  const days = all.slice(-DAYS);
  const models = Object.entries(of.byModel).slice(0, LISTED);
  const others = of.total.otherPricedCalls;
  const gaps = [
    of.total.uncountedCalls > 0 ? `${plural(of.total.uncountedCalls, "call")} without token counts` : "",
    of.total.unpricedCalls > 0 ? `${plural(of.total.unpricedCalls, "call")} of models without a price` : "",
  ].filter((gap) => gap !== "");
  return [
    heading("Costs"),
    table("By model", head("Model"), [
      ...models.map(([name, line]) => row(name, line)),
      row("All", of.total),
    ]),
    table(
      `${all.length > DAYS ? `The newest ${DAYS} of ${all.length} days` : "By day"} (${of.timeZone})`,
      head("Day"),
      days.map(([name, line]) => row(name, line)),
    ),
    ...(gaps.length > 0 ? [text(`Not in these sums: ${gaps.join(", ")}.`)] : []),
    ...(others > 0 ? [text(`Charged at the price of all other models: ${plural(others, "call")}.`)] : []),
  ];
}

function applied({ applied: steps }: Report, time: Time): Block[] {
  if (steps.length === 0) return [];
  return [
    heading("What was applied"),
    table(
      "Steps, newest first",
      ["When", "Step", "Why", "Checked"],
      steps
        .slice(-LISTED)
        .reverse()
        .map(({ at, action, reason, outcome }) => [time(at), action, reason, outcome ?? "not yet"]),
    ),
  ];
}

function refused({ refused: of }: Report): Block[] {
  if (of.records === 0) return [];
  return [
    heading("Not taken in"),
    {
      kind: "list",
      items: Object.entries(of.reasons).map(([reason, count]) => ({
        text: `${plural(count, "record")}: ${reason}`,
      })),
    },
  ];
}

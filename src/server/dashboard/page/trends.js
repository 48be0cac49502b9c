/** Whether calls got slower, all together and by group, with how long they took over time. */
import { chart } from "./chart.js";
import { h, setText } from "./dom.js";
import { count, duration, percent } from "./format.js";
import { table } from "./table.js";

/** @typedef {import("../../../analysis/types.js").Report} Report */
/** @typedef {Report["trends"]["groups"][number]} GroupTrend */
/** @typedef {import("../../../analysis/types.js").TrendResult} TrendResult */

/** Rows. */
const MOST = 10;

/** @returns {{ elements: [HTMLElement, HTMLElement], show(report: Report): void }} */
export function trends() {
  const overall = h("p");
  const times = chart({
    title: "Response time by stretch of time",
    lines: [
      { label: "p50", color: "first" },
      { label: "p90", color: "second", dash: [8, 4] },
    ],
    format: duration,
    overDays: true,
  });
  /** @param {(trend: TrendResult) => string} text */
  const figure =
    (text) =>
    (/** @type {GroupTrend} */ { trend }) =>
      trend.enough ? text(trend) : "";
  /** @type {ReturnType<typeof table<GroupTrend>>} */
  const groups = table({
    caption: "Recent calls against those before, most time spent first",
    columns: [
      { title: "Model", text: ({ model }) => model },
      { title: "Template", text: ({ templateId }) => templateId ?? "none" },
      { title: "Trend", text: ({ trend }) => (trend.enough ? trend.verdict : onOneLine(trend.text)) },
      { title: "Before", numeric: true, text: figure(({ historyMs }) => duration(historyMs)) },
      { title: "Recent", numeric: true, text: figure(({ recentMs }) => duration(recentMs)) },
      { title: "Sure", numeric: true, text: figure(({ confidence }) => sure(confidence)) },
    ],
    key: ({ serverId, model, templateId }) => JSON.stringify([serverId, model, templateId]),
    empty: "No calls to compare.",
  });
  return {
    elements: [
      h("div", {}, h("h3", {}, "Response time"), times.element),
      h("div", {}, h("h3", {}, "Trend"), overall, groups.element),
    ],
    show({ trends: found, chart: points }) {
      setText(overall, found.overall.enough ? inOneLine(found.overall) : `All calls: ${found.overall.text}.`);
      groups.show(found.groups.slice(0, MOST));
      times.show(points.map(({ at, p50, p90 }) => ({ at: Date.parse(at), values: [p50, p90] })));
    },
  };
}

/** @param {TrendResult} trend */
function inOneLine({ verdict, ratio, confidence, recentCalls, historyCalls }) {
  const change = Math.abs(ratio - 1);
  const than =
    change < 0.005 ? "as long as" : `${percent(change)} ${ratio > 1 ? "longer" : "less time"} than`;
  return `All calls: ${verdict}. The latest ${count(recentCalls)} took ${than} the ${count(historyCalls)} before (${sure(confidence)} sure that they differ).`;
}

/** @param {string} text */
function onOneLine(text) {
  return text.replaceAll(" ", "\u00a0");
}

/**
 * No test is wholly sure.
 *
 * @param {number} confidence
 */
function sure(confidence) {
  return confidence > 0.999 ? "> 99.9 %" : percent(confidence);
}

/** What calls cost, and what the same tokens would have cost at the price lists that the server was given. */
import { chart } from "../chart.js";
import { h } from "../dom.js";
import { count, day, duration, money, plural, UNKNOWN } from "../format.js";
import { reported } from "../panel.js";
import { table } from "../table.js";
import { tiles } from "../tiles.js";

/** @typedef {import("../../../../analysis/types.js").Costs} Costs */
/** @typedef {import("../../../../analysis/types.js").CostLine} CostLine */
/** @typedef {{ readonly name: string, readonly line: CostLine }} Row */
/** @typedef {import("../table.js").Column<Row>} Column */

/** Rows. */
const MOST = 31;

/** @type {import("../panel.js").Panel} */
export default {
  title: "Costs",
  place: 120,
  wide: true,
  mount(body, server) {
    const figures = tiles([
      "Cost",
      "Of it prompts",
      "Of it replies",
      "Of it electricity",
      "Energy",
      "Server time",
      "Prompt tokens",
      "Output tokens",
    ]);
    const lines = h("div");
    body.append(figures.element, lines);
    /** @type {ReturnType<typeof partsOf> | null} made anew when there are other price lists */
    let parts = null;
    return reported(
      server,
      body,
      ({ days }) => `/optimization/costs?days=${days}`,
      (/** @type {Costs} */ costs) => {
        const { total, currency } = costs;
        const lists = Object.keys(total.hosted);
        if (parts?.key !== JSON.stringify([currency, lists])) {
          parts = partsOf(currency, lists);
          lines.replaceChildren(...parts.elements);
        }
        figures.show([
          money(total.totalCost, currency),
          money(total.inputCost, currency),
          money(total.outputCost, currency),
          money(total.electricityCost, currency),
          total.kilowattHours === null ? UNKNOWN : `${Number(total.kilowattHours.toPrecision(3))} kWh`,
          duration(total.computeMs),
          count(total.inputTokens),
          count(total.outputTokens),
        ]);
        parts.show(costs);
        return [
          total.totalCost === null ? "This server was given no prices: serve --prices FILE." : "",
          total.unpricedCalls > 0 && total.tokenCost !== null
            ? `${plural(total.unpricedCalls, "call")} of models without a price.`
            : "",
          total.uncountedCalls > 0 ? `${plural(total.uncountedCalls, "call")} without token counts.` : "",
          `Days begin by ${costs.timeZone}.`,
        ].join(" ");
      },
    );
  },
};

/**
 * @param {string} currency
 * @param {readonly string[]} lists names of hosted price lists
 */
function partsOf(currency, lists) {
  /** @type {Column[]} */
  const amounts = [
    { title: "Cost", numeric: true, text: ({ line }) => money(line.totalCost, currency) },
    ...lists.map((list) => ({
      title: `At ${list}`,
      numeric: true,
      text: (/** @type {Row} */ { line }) => money(line.hosted[list], currency),
    })),
  ];
  /** @type {Column} */
  const calls = { title: "Calls", numeric: true, text: ({ line }) => count(line.calls) };
  const empty = "No calls in this time.";
  const byModel = table({
    caption: "By model",
    columns: [
      { title: "Model", text: ({ name }) => name },
      calls,
      { title: "Prompt tokens", numeric: true, text: ({ line }) => count(line.inputTokens) },
      { title: "Output tokens", numeric: true, text: ({ line }) => count(line.outputTokens) },
      { title: "Server time", numeric: true, text: ({ line }) => duration(line.computeMs) },
      ...amounts,
    ],
    key: ({ name }) => name,
    empty,
  });
  const byDay = table({
    caption: "The latest first",
    columns: [{ title: "Day", text: ({ name }) => day(localDay(name)) }, calls, ...amounts],
    key: ({ name }) => name,
    empty,
  });
  const colors = ["second", "third"];
  const plot = chart({
    title: "Cost by day",
    lines: [
      { label: "here", color: "first" },
      ...lists.slice(0, 2).map((list, index) => ({
        label: `at ${list}`,
        color: colors[index] ?? "third",
        dash: index === 0 ? [8, 4] : [2, 3],
      })),
    ],
    format: (value) => money(value, currency),
    overDays: true,
  });
  const overTime = h("div", {}, h("h3", {}, "Cost by day"), plot.element);
  return {
    key: JSON.stringify([currency, lists]),
    elements: [
      byModel.element,
      h("div", { class: "beside" }, h("div", {}, h("h3", {}, "By day"), byDay.element), overTime),
    ],
    /** @param {Costs} costs */
    show(costs) {
      const days = rowsOf(costs.byDay);
      byModel.show([...rowsOf(costs.byModel), { name: "All", line: costs.total }].slice(0, MOST));
      byDay.show(days.slice(-MOST).toReversed());
      overTime.hidden = days.length < 2 || (costs.total.totalCost === null && lists.length === 0);
      const hosted = lists.slice(0, 2);
      plot.show(
        everyDay(days).map(({ at, line }) => ({
          at,
          values: [
            line ? line.totalCost : 0,
            ...hosted.map((list) => (line ? (line.hosted[list] ?? null) : 0)),
          ],
        })),
      );
    },
  };
}

/**
 * The same day here: west of Greenwich its midnight there is on the day before.
 *
 * @param {string} date e.g. 2026-11-21
 */
function localDay(date) {
  return Date.parse(`${date}T00:00`);
}

/**
 * Those without calls too: a line would pass over them.
 *
 * @param {readonly Row[]} days
 */
function everyDay(days) {
  const known = new Map(days.map(({ name, line }) => [localDay(name), line]));
  const last = Math.max(...known.keys());
  const all = [];
  for (
    let at = Math.min(...known.keys());
    at <= last;
    at = new Date(at).setDate(new Date(at).getDate() + 1)
  ) {
    all.push({ at, line: known.get(at) });
  }
  return all;
}

/**
 * @param {Readonly<Record<string, CostLine>>} lines
 * @returns {Row[]}
 */
function rowsOf(lines) {
  return Object.entries(lines).map(([name, line]) => ({ name, line }));
}

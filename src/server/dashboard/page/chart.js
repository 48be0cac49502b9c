/** A line chart over time, with its figures as text for those who do not see it. */
import { h, setText } from "./dom.js";
import { clock, dayOrHour } from "./format.js";
import { table } from "./table.js";

/**
 * @typedef {object} Line
 * @property {string} label
 * @property {string} color name of a CSS variable
 * @property {number[]} [dash] told apart without colours too
 */
/** @typedef {{ readonly at: number, readonly values: readonly (number | null)[] }} Reading `at` in milliseconds */

const { uPlot } = /** @type {{ uPlot: typeof import("uplot") }} */ (/** @type {unknown} */ (globalThis));

const HEIGHT = 190;
/** Its points stand for five seconds at least, and drawing costs more than all else on the page. */
const REDRAW_MS = 1_000;
/** Of the table. */
const MOST_ROWS = 60;

/**
 * @param {object} options
 * @param {string} options.title what is shown, e.g. "Response time"
 * @param {readonly Line[]} options.lines
 * @param {(value: number | null) => string} options.format
 * @param {boolean} [options.overDays] readings name the beginning of their time, and the axis names days
 * @returns {{ element: HTMLElement, show(readings: readonly Reading[]): void }}
 */
export function chart({ title, lines, format, overDays = false }) {
  const plot = h("div", { class: "plot", role: "img", "aria-label": title });
  const figures = lines.map(() => h("span", { class: "value" }));
  const legend = h(
    "ul",
    { class: "legend", "aria-hidden": "true" },
    ...lines.map(({ label, color }, index) => h("li", { class: color }, label, " ", figures[index] ?? "")),
  );
  const asTable = table({
    caption: title,
    columns: [
      { title: overDays ? "From" : "Until", text: ({ at }) => clock(at) },
      ...lines.map(({ label }, index) => ({
        title: label,
        numeric: true,
        text: (/** @type {Reading} */ { values }) => format(values[index] ?? null),
      })),
    ],
    key: ({ at }) => String(at),
    empty: "Nothing yet.",
  });
  const details = h("details", { toggle: () => show() }, h("summary", {}, "As a table"), asTable.element);
  /** @type {readonly Reading[]} */
  let readings = [];
  /** @type {uPlot | null} */
  let drawn = null;

  /** @param {number | null | undefined} index the latest with a value when it is not given */
  const readAt = (index) => {
    const reading =
      readings[index ?? -1] ?? readings.findLast(({ values }) => values.some((value) => value !== null));
    for (const [line, figure] of figures.entries()) setText(figure, format(reading?.values[line] ?? null));
    return reading;
  };

  const draw = () => {
    drawn?.destroy();
    const options = optionsOf(lines, format, overDays, plot.clientWidth, readAt);
    drawn = new uPlot(options, dataOf(lines, readings), plot);
  };

  const show = () => {
    const latest = readAt(drawn?.cursor.idx);
    const said = latest
      ? `${lines.map(({ label }, line) => `${label} ${format(latest.values[line] ?? null)}`).join(", ")} at ${clock(latest.at)}`
      : "no calls yet";
    plot.setAttribute("aria-label", `${title}: ${said}. The figures are in the table below.`);
    if (drawn) drawn.setData(dataOf(lines, readings));
    else if (plot.clientWidth > 0) draw();
    if (details.open) asTable.show(readings.slice(-MOST_ROWS).toReversed());
  };

  new ResizeObserver(() => {
    if (drawn) drawn.setSize({ width: plot.clientWidth, height: HEIGHT });
    else show();
  }).observe(plot);
  // Colours are read when it is drawn.
  document.addEventListener("themechange", () => drawn && draw());
  let shownAt = Number.NEGATIVE_INFINITY;
  let last = 0;
  return {
    element: h("figure", {}, legend, plot, details),
    show(next) {
      // Another span is drawn at once.
      if (next.length === last && performance.now() < shownAt + REDRAW_MS) return;
      shownAt = performance.now();
      last = next.length;
      readings = next;
      show();
    },
  };
}

/**
 * @param {readonly Line[]} lines
 * @param {readonly Reading[]} readings
 * @returns {import("uplot").AlignedData}
 */
function dataOf(lines, readings) {
  return [
    readings.map(({ at }) => at / 1000),
    ...lines.map((_, line) => readings.map(({ values }) => values[line] ?? null)),
  ];
}

/**
 * @param {readonly Line[]} lines
 * @param {(value: number | null) => string} format
 * @param {boolean} overDays
 * @param {number} width
 * @param {(index: number | null | undefined) => void} onCursor
 * @returns {import("uplot").Options}
 */
function optionsOf(lines, format, overDays, width, onCursor) {
  const styles = getComputedStyle(document.documentElement);
  /** @param {string} name */
  const color = (name) => styles.getPropertyValue(`--${name}`).trim();
  const axis = {
    stroke: color("muted"),
    font: "12px system-ui, sans-serif",
    grid: { stroke: color("line"), width: 1 },
    ticks: { show: false },
  };
  return {
    width,
    height: HEIGHT,
    padding: [8, 30, 0, 0],
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false } },
    scales: { y: { range: (_, __, most) => [0, (most || 1) * 1.1] } },
    axes: [
      {
        ...axis,
        values: (_, times) =>
          times.map((seconds) =>
            overDays
              ? dayOrHour(seconds * 1000, ((times[1] ?? seconds) - (times[0] ?? seconds)) * 1000)
              : clock(seconds * 1000),
          ),
        space: overDays ? 60 : 90,
        size: 30,
      },
      { ...axis, values: (_, values) => values.map((value) => format(value)), size: 76 },
    ],
    series: [
      {},
      ...lines.map(({ label, color: name, dash }) => ({
        label,
        dash,
        stroke: color(name),
        width: 2,
        spanGaps: true,
        points: { size: 5 },
      })),
    ],
    hooks: { setCursor: [({ cursor }) => void onCursor(cursor.idx)] },
  };
}

/** Charts as SVG without a library: a line with a band, or bars with intervals. */
import { escapeHtml } from "./escapeHtml.js";
import type { Plot, PlotPoint } from "./pageBlocks.js";

const WIDTH = 760;
const HEIGHT = 220;
const LEFT = 64;
const RIGHT = 8;
const TOP = 12;
const BOTTOM = 28;
const GRID_LINES = 4;
const LABELS = 5;

/**
 * A chart that a screen reader reads as its title and description, in colours that the page's style sets.
 *
 * @param id unique on its page
 */
export function svgChart(plot: Plot, id: string): string {
  const top = niceCeiling(
    Math.max(0, ...plot.points.map(({ value, high }) => Math.max(value ?? 0, high ?? 0))),
  );
  const x = (index: number): number => LEFT + ((index + 0.5) / plot.points.length) * (WIDTH - LEFT - RIGHT);
  const y = (value: number): number => HEIGHT - BOTTOM - (value / top) * (HEIGHT - TOP - BOTTOM);
  const marks = plot.kind === "line" ? lineMarks(plot.points, x, y) : barMarks(plot.points, x, y);
  return [
    `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-labelledby="${id}-title ${id}-description">`,
    `<title id="${id}-title">${escapeHtml(plot.title)}</title>`,
    `<desc id="${id}-description">${escapeHtml(plot.description)}</desc>`,
    grid(top, y, plot.format),
    marks,
    labels(plot.points, x),
    "</svg>",
  ].join("");
}

type Scale = (value: number) => number;

/**
 * The next of 1, 2, 4, 8 or 10 times a power of ten: a quarter of it is a figure that one can read.
 *
 * @example niceCeiling(317) // 400
 */
export function niceCeiling(value: number): number {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  const factor = [1, 2, 4, 8, 10].find((each) => each * power >= value) ?? 10;
  return factor * power;
}

function grid(top: number, y: Scale, format: (value: number) => string): string {
  return Array.from({ length: GRID_LINES + 1 }, (_, index) => {
    const value = (top * index) / GRID_LINES;
    const at = round(y(value));
    return `<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${at}" y2="${at}"/><text class="tick" x="${LEFT - 6}" y="${at + 4}" text-anchor="end">${escapeHtml(value === 0 ? "0" : format(value))}</text>`;
  }).join("");
}

function lineMarks(points: readonly PlotPoint[], x: Scale, y: Scale): string {
  return runs(points)
    .map((run) => {
      const upper = run.map(
        ({ index, point }) => `${round(x(index))},${round(y(point.high ?? point.value ?? 0))}`,
      );
      const lower = run.map(
        ({ index, point }) => `${round(x(index))},${round(y(point.low ?? point.value ?? 0))}`,
      );
      const line = run.map(({ index, point }) => `${round(x(index))},${round(y(point.value ?? 0))}`);
      // A single point has no line: a dot shows it.
      const [first] = run;
      const dot =
        run.length === 1 && first
          ? `<circle class="dot" cx="${round(x(first.index))}" cy="${round(y(first.point.value ?? 0))}" r="2"/>`
          : "";
      return `<polygon class="band" points="${[...upper, ...lower.reverse()].join(" ")}"/><polyline class="line" points="${line.join(" ")}"/>${dot}`;
    })
    .join("");
}

/** Stretches without a gap. */
function runs(points: readonly PlotPoint[]): { readonly index: number; readonly point: PlotPoint }[][] {
  const found: { readonly index: number; readonly point: PlotPoint }[][] = [[]];
  for (const [index, point] of points.entries()) {
    if (point.value === null) found.push([]);
    else found.at(-1)!.push({ index, point });
  }
  return found.filter((run) => run.length > 0);
}

function barMarks(points: readonly PlotPoint[], x: Scale, y: Scale): string {
  const width = Math.max(1, (0.8 * (WIDTH - LEFT - RIGHT)) / points.length);
  return points
    .map(({ value, low, high }, index) => {
      if (value === null) return "";
      const at = round(x(index));
      const bar = `<rect class="bar" x="${round(at - width / 2)}" y="${round(y(value))}" width="${round(width)}" height="${round(Math.max(0, y(0) - y(value)))}"/>`;
      if (low === null || low === undefined || high === null || high === undefined) return bar;
      return `${bar}<line class="interval" x1="${at}" x2="${at}" y1="${round(y(low))}" y2="${round(y(high))}"/>`;
    })
    .join("");
}

function labels(points: readonly PlotPoint[], x: Scale): string {
  const step = Math.max(1, Math.ceil(points.length / LABELS));
  return points
    .flatMap(({ label }, index) =>
      index % step === 0
        ? [
            `<text class="tick" x="${round(x(index))}" y="${HEIGHT - 8}" text-anchor="middle">${escapeHtml(label)}</text>`,
          ]
        : [],
    )
    .join("");
}

function round(value: number): number {
  return Math.round(10 * value) / 10;
}

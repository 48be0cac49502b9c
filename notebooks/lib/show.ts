/**
 * What a notebook shows: text, tables and charts. Everything goes through here, because Deno's kernel loses outputs
 * that follow each other within milliseconds: 10 of 156 were lost, 1 of 255 with 30 ms
 * between them on a busy machine, none of 900 with 200 ms.
 */
import * as Plot from "@observablehq/plot";
import { parseHTML } from "linkedom";

/** One output in several forms, by media type; what shows it picks the richest that it knows. */
type Bundle = Readonly<Record<string, string>>;

/** What this uses of Deno's kernel. */
interface Kernel {
  readonly jupyter?: { display(bundle: Bundle, options: { raw: true }): Promise<void> };
}
/** Set by scripts/notebooks.mjs. */
interface Host {
  readonly Deno?: Kernel;
  readonly notebookOutput?: (bundle: Bundle) => void;
}

/** After each output. */
const PAUSE_MS = 200;

const host = globalThis as Host;
const { document } = parseHTML("<!doctype html><html><body></body></html>");

async function display(bundle: Bundle): Promise<void> {
  if (host.notebookOutput) host.notebookOutput(bundle);
  else if (host.Deno?.jupyter) {
    await host.Deno.jupyter.display(bundle, { raw: true });
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  } else console.log(bundle["text/plain"]);
}

/** Shows lines of text. */
export async function text(...lines: readonly string[]): Promise<void> {
  await display({ "text/plain": lines.join("\n") });
}

/** A cell of a table; numbers are grouped by thousands, with at most two decimals. */
export type Cell = string | number | boolean | null | undefined;

/** Shows rows as a table; the first one's keys are its head. */
export async function table(rows: readonly Readonly<Record<string, Cell>>[]): Promise<void> {
  const head = Object.keys(rows[0] ?? {});
  const cells = rows.map((row) => head.map((name) => words(row[name])));
  const html = [
    `<tr>${head.map((name) => `<th>${escaped(name)}</th>`).join("")}</tr>`,
    ...cells.map((line) => `<tr>${line.map((cell) => `<td>${escaped(cell)}</td>`).join("")}</tr>`),
  ];
  await display({
    "text/html": `<table>\n${html.join("\n")}\n</table>`,
    "text/plain": [head, ...cells].map((line) => line.join(" | ")).join("\n"),
  });
}

/**
 * Shows a chart as SVG, on white, since pages that are dark show it too. `never`: linkedom's documents are a browser's
 * in all that Plot does with them, but not by type.
 */
export async function chart(options: Plot.PlotOptions): Promise<void> {
  const svg = Plot.plot({ width: 720, ...options, document: document as never });
  svg.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  const ground = document.createElementNS("http://www.w3.org/2000/svg", "rect");
  ground.setAttribute("width", "100%");
  ground.setAttribute("height", "100%");
  ground.setAttribute("fill", "white");
  svg.insertBefore(ground as never, svg.firstChild);
  await display({
    "image/svg+xml": svg.outerHTML,
    "text/plain": `chart: ${options.ariaLabel ?? "see above"}`,
  });
}

function words(cell: Cell): string {
  if (cell === null || cell === undefined) return "–";
  return typeof cell === "number" ? cell.toLocaleString("en-US", { maximumFractionDigits: 2 }) : String(cell);
}

function escaped(words: string): string {
  return words.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}

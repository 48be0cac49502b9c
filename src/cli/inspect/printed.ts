/** Records as text: cells without what a terminal would take for a command, cut to what can be read. */
import { withoutControls } from "../../analysis/escapeHtml.js";
import type { Output } from "../terminal.js";

const WIDEST = 60;

/** Characters of a cell at most: only a terminal is narrow, a file or another program gets all. */
export function widestFor({ isTTY }: Output): number {
  return isTTY ? WIDEST : Number.POSITIVE_INFINITY;
}

/** A head and rows, ready for `table`. Names come from outside: a control character in one is replaced. */
export function cells(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  widest: number,
): string[][] {
  return [[...head], ...rows.map((row) => row.map((text) => cell(text, widest)))];
}

/** @example cell("a\nb c", 4) // "a b…" */
export function cell(text: string, widest: number): string {
  const line = withoutControls(text.replace(/\s+/g, " "));
  return line.length > widest ? `${line.slice(0, widest - 1)}…` : line;
}

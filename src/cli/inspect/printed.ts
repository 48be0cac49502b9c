/** Records as text: cells without what a terminal would take for a command, cut to what can be read. */
import { withoutControls } from "../../analysis/escapeHtml.js";

const WIDEST = 60;

/** A head and rows, ready for `table`. Names come from outside: a control character in one is replaced. */
export function cells(head: readonly string[], rows: readonly (readonly string[])[]): string[][] {
  return [[...head], ...rows.map((row) => row.map((text) => cell(text)))];
}

/** @example cell("a\nb") // "a b" */
export function cell(text: string): string {
  const line = withoutControls(text.replace(/\s+/g, " "));
  return line.length > WIDEST ? `${line.slice(0, WIDEST - 1)}…` : line;
}

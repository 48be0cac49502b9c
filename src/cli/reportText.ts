/** The report in a terminal. */
import { withoutControls } from "../analysis/escapeHtml.js";
import type { Block, Plot } from "../analysis/pageBlocks.js";
import { reportPage } from "../analysis/reportPage.js";
import type { Report } from "../analysis/types.js";
import { cells } from "./inspect/printed.js";
import type { Style } from "./style.js";
import { table } from "./terminal.js";

const WIDTH = 100;
const SPARKS = "▁▂▃▄▅▆▇█";

/** @param widest characters of a table's cell */
export function reportText(report: Report, style: Style, widest: number): string {
  const { title, lead, blocks } = reportPage(report);
  const parts = [
    style("bold", plain(title)),
    wrapped(lead, ""),
    ...blocks.map((block) => written(block, style, widest)),
  ];
  return `${parts.join("\n\n")}\n`;
}

function written(block: Block, style: Style, widest: number): string {
  switch (block.kind) {
    case "heading":
      return style("bold", plain(block.text));
    case "text":
      return wrapped(block.text, "");
    case "list":
      return block.items
        .map(({ text, note }) =>
          [
            `- ${wrapped(text, "  ")}`,
            ...(note === undefined ? [] : [style("dim", `  ${wrapped(note, "  ")}`)]),
          ].join("\n"),
        )
        .join("\n");
    case "table":
      return `${style("dim", plain(block.caption))}\n${table(cells(block.head, block.rows, widest))}`;
    case "plot":
      return sparks(block.plot, style);
  }
}

/** A line of blocks: eight heights tell the shape. */
function sparks({ title, description, points, format }: Plot, style: Style): string {
  const most = Math.max(0, ...points.map(({ value }) => value ?? 0));
  const line = points
    .map(({ value }) =>
      value === null ? " " : SPARKS[most > 0 ? Math.min(7, Math.floor((8 * value) / most)) : 0],
    )
    .join("");
  return `${plain(title)}: ${wrapped(description, "")}\n${style("green", line)} ${format(most)}`;
}

const plain = (text: string): string => withoutControls(text.replace(/\s+/g, " "));

/** In lines that can be read, all but the first behind `indent`. */
function wrapped(text: string, indent: string): string {
  const lines: string[] = [];
  let line = "";
  for (const word of plain(text).split(" ")) {
    if (line !== "" && line.length + word.length >= WIDTH - indent.length) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line].join(`\n${indent}`);
}

/** The report as Markdown. */
import { withoutControls } from "./escapeHtml.js";
import type { Block, Plot } from "./pageBlocks.js";
import { reportPage } from "./reportPage.js";
import type { Report } from "./types.js";

/** GitHub-flavoured Markdown. Names of models and the like are escaped: none becomes a link, a table or HTML. */
export function reportMarkdown(report: Report): string {
  const { title, lead, blocks } = reportPage(report);
  return `${[`# ${escaped(title)}`, escaped(lead), ...blocks.map(markdownOf)].join("\n\n")}\n`;
}

function markdownOf(block: Block): string {
  switch (block.kind) {
    case "heading":
      return `## ${escaped(block.text)}`;
    case "text":
      return escaped(block.text);
    case "list":
      return block.items
        .map(({ text, note }) => `- ${escaped(text)}${note === undefined ? "" : ` *${escaped(note)}*`}`)
        .join("\n");
    case "table":
      return tableOf(block.caption, block.head, block.rows);
    case "plot":
      return plotOf(block.plot);
  }
}

function tableOf(caption: string, head: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [head.map(escaped), head.map(() => "---"), ...rows.map((row) => row.map(escaped))];
  return `${escaped(caption)}:\n\n${lines.map((cells) => `| ${cells.join(" | ")} |`).join("\n")}`;
}

const SPARKS = "▁▂▃▄▅▆▇█";

/** A line of blocks: eight heights tell the shape. */
function plotOf({ title, description, points }: Plot): string {
  const most = Math.max(...points.map(({ value }) => value ?? 0));
  const sparks = points.map(({ value }) =>
    value === null ? " " : SPARKS[most > 0 ? Math.min(7, Math.floor((8 * value) / most)) : 0],
  );
  return `${escaped(title)}: ${escaped(description)}\n\n\`${sparks.join("")}\``;
}

/** Everything that Markdown or HTML could take for markup, on one line. */
function escaped(text: string): string {
  return withoutControls(text.replace(/\s+/g, " "))
    .replace(/&/g, "&amp;")
    .replace(/</g, "&lt;")
    .replace(/>/g, "&gt;")
    .replace(/[\\`*_[\]|~]/g, "\\$&")
    .replace(/^[#+-]/, "\\$&")
    .replace(/^(\d+)\.(?=\s|$)/, "$1\\.")
    .replace(/:\/\//g, ":\\/\\/")
    .replace(/@/g, "&#64;");
}

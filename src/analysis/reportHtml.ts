/** The report as one HTML page that needs nothing else: no script, no network, dark where the reader's system is. */
import { escapeHtml } from "./escapeHtml.js";
import type { Block, Plot } from "./pageBlocks.js";
import { reportPage } from "./reportPage.js";
import { svgChart } from "./svgChart.js";
import type { Report } from "./types.js";

const STYLE = `
:root{color-scheme:light dark;--back:#fff;--panel:#f5f7fa;--text:#1c2430;--muted:#525c6b;--rule:#d5dbe3;--accent:#1a5fb4;--interval:#7a2e0e}
@media (prefers-color-scheme:dark){:root{--back:#12161c;--panel:#1a2028;--text:#e6e9ef;--muted:#a7b0bd;--rule:#333c48;--accent:#78b3ff;--interval:#ffb38a}}
*{box-sizing:border-box}
body{margin:0;background:var(--back);color:var(--text);font:16px/1.5 system-ui,sans-serif}
main{max-width:60rem;margin:0 auto;padding:1.5rem 1rem 4rem}
h1{font-size:1.75rem;line-height:1.2;margin:0 0 .25rem}
h2{font-size:1.2rem;margin:2.25rem 0 .5rem;padding-top:.75rem;border-top:1px solid var(--rule)}
p{margin:.5rem 0;max-width:46rem}
.lead,.note,caption,figcaption{color:var(--muted)}
.score{display:flex;align-items:baseline;gap:.5rem;margin:1rem 0 0}
.score b{font-size:3rem;line-height:1;color:var(--accent)}
.scroll{overflow-x:auto;margin:.75rem 0}
table{border-collapse:collapse;width:100%;font-size:.9rem;font-variant-numeric:tabular-nums}
caption{text-align:left;padding-bottom:.25rem;font-size:.875rem}
th,td{text-align:left;vertical-align:top;padding:.35rem .75rem .35rem 0;border-bottom:1px solid var(--rule);overflow-wrap:anywhere}
th{font-weight:600;white-space:nowrap;overflow-wrap:normal}
tbody td:not(:first-child){min-width:4.5rem}
ul{padding-left:1.25rem}li{margin:.5rem 0;max-width:46rem}.note{display:block;font-size:.9rem}
figure{margin:1rem 0;padding:.75rem;background:var(--panel);border-radius:.5rem}
figcaption{font-size:.875rem;margin-bottom:.5rem}figcaption b{color:var(--text);display:block;font-size:1rem}
svg{display:block;width:100%;height:auto}
.grid{stroke:var(--rule);stroke-width:1}.tick{fill:var(--muted);font-size:11px}
.line{fill:none;stroke:var(--accent);stroke-width:2;stroke-linejoin:round}.band{fill:var(--accent);opacity:.3}
.dot,.bar{fill:var(--accent)}.interval{stroke:var(--interval);stroke-width:2}
summary{cursor:pointer;color:var(--muted);font-size:.875rem;margin-top:.5rem}
summary:focus-visible{outline:2px solid var(--accent);outline-offset:2px}
@media print{details{display:none}figure{break-inside:avoid}}
`;

/** A whole document. Everything that came from outside is escaped; the policy in its head forbids all but its style. */
export function reportHtml(report: Report): string {
  const { title, lead, blocks } = reportPage(report);
  const score = report.summary.efficiencyScore;
  return [
    '<!doctype html><html lang="en"><head><meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    `<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">`,
    `<title>${escapeHtml(title)}</title><style>${STYLE}</style></head><body><main>`,
    `<h1>${escapeHtml(title)}</h1><p class="lead">${escapeHtml(lead)}</p>`,
    score.enough
      ? `<p class="score"><b>${Math.round(score.value)}</b> <span>efficiency score, of 100</span></p>`
      : "",
    ...blocks.map(htmlOf),
    "</main></body></html>\n",
  ].join("");
}

function htmlOf(block: Block, index: number): string {
  switch (block.kind) {
    case "heading":
      return `<h2>${escapeHtml(block.text)}</h2>`;
    case "text":
      return `<p>${escapeHtml(block.text)}</p>`;
    case "list":
      return `<ul>${block.items.map(({ text, note }) => `<li>${escapeHtml(text)}${note === undefined ? "" : `<span class="note">${escapeHtml(note)}</span>`}</li>`).join("")}</ul>`;
    case "table":
      return tableOf(block.caption, block.head, block.rows);
    case "plot":
      return plotOf(block.plot, `chart-${index}`);
  }
}

/** Wide tables scroll in themselves; the keyboard must reach them for that. */
function tableOf(caption: string, head: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = rows
    .map((row) => `<tr>${row.map((cell) => `<td>${escapeHtml(cell)}</td>`).join("")}</tr>`)
    .join("");
  return `<div class="scroll" tabindex="0" role="region" aria-label="${escapeHtml(caption)}"><table><caption>${escapeHtml(caption)}</caption><thead><tr>${head.map((name) => `<th scope="col">${escapeHtml(name)}</th>`).join("")}</tr></thead><tbody>${cells}</tbody></table></div>`;
}

/** The figures stand behind the chart as a table too. */
function plotOf(plot: Plot, id: string): string {
  const shown = (value: number | null | undefined): string =>
    value === null || value === undefined ? "" : plot.format(value);
  const rows = plot.points.map(({ label, value, low, high }) =>
    [label, shown(value), shown(low), shown(high)].slice(0, 1 + plot.columns.length),
  );
  return `<figure><figcaption><b>${escapeHtml(plot.title)}</b>${escapeHtml(plot.description)}</figcaption>${svgChart(plot, id)}<details><summary>${escapeHtml(plot.title)} as a table</summary>${tableOf(plot.title, ["When", ...plot.columns], rows)}</details></figure>`;
}

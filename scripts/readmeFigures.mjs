#!/usr/bin/env node
/**
 * Writes measured figures between the markers of README.md and docs/measurements.md, so that none is typed by hand.
 *
 *   node scripts/readmeFigures.mjs           from reports/bench-live.json, bench-live-batch.json and bench.json
 *   node scripts/readmeFigures.mjs --demo    runs the demo on its own engine and shows what it printed
 *
 * A report that is missing leaves its place as it is; one of a short run is refused.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/**
 * The text with what stands between `<!-- name -->` and `<!-- /name -->` replaced.
 *
 * @throws Error when a marker is missing
 */
export function filled(text, name, content) {
  const [begin, end] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
  const from = text.indexOf(begin);
  const to = text.indexOf(end);
  if (from < 0 || to < from) throw new Error(`there is no place ${begin} ... ${end}`);
  return `${text.slice(0, from + begin.length)}\n${content.trim()}\n${text.slice(to)}`;
}

const grouped = (value) => value.toLocaleString("en-US");

/** Three digits are what a measurement on a shared machine can tell. */
function rounded(value, unit = "") {
  const number = Number.isInteger(value) ? grouped(value) : grouped(Number(value.toPrecision(3)));
  return unit ? `${number} ${unit}` : number;
}

function table([head, ...rows]) {
  const line = (cells) => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map((_, index) => (index === 0 ? "---" : "---:"))), ...rows.map(line)].join(
    "\n",
  );
}

/** Bars that were missed, in a sentence; none is left out. */
function verdict(bars) {
  const missed = bars.filter(({ isMet }) => !isMet);
  if (missed.length === 0) return `All ${bars.length} bars are met.`;
  const named = missed.map(
    ({ what, measured, atMost, atLeast }) =>
      `${what} ${rounded(measured)} (${atMost === undefined ? `at least ${rounded(atLeast)}` : `at most ${rounded(atMost)}`})`,
  );
  return `Missed, of ${bars.length} bars: ${named.join("; ")}.`;
}

function where({ processor, cores, memoryGigabytes, system, node, load }) {
  return `${processor}, ${cores} cores, ${memoryGigabytes} GB, ${system}, Node ${node.replace(/^v/, "")}, load ${load}`;
}

/** The five ways of choosing a window. */
export function liveTable({ machine, ollama, model, seed, calls, largestNeedTokens, strategies, bars }) {
  const rows = Object.entries(strategies).map(([name, s]) => [
    name === "this package" ? "**this package**" : name,
    grouped(s.loads),
    grouped(s.lateLoads),
    grouped(s.cut),
    grouped(s.refused),
    grouped(Math.round(s.wallSeconds)),
    grouped(Math.round(s.loadSeconds)),
    grouped(Math.round(s.memoryBytes / 1e6)),
    grouped(s.finalWindow),
  ]);
  const head = [
    "window chosen by",
    "loads",
    "after call 50",
    "answers cut",
    "calls refused",
    "time, s",
    "loading, s",
    "memory beyond the weights, MB",
    "final window",
  ];
  return `${table([head, ...rows])}

${grouped(calls)} calls of \`${model}\` on Ollama ${ollama}, seed ${seed}; the largest needs ${grouped(largestNeedTokens)} tokens.
${verdict(bars)} Machine: ${where(machine)}.`;
}

/** `batch()` of interleaved templates. */
export function batchTable({ figures }) {
  const rows = figures.map(({ what, value, unit }) => [what, rounded(value, unit)]);
  return table([["`batch()` of six interleaved templates, time for reading prompts", ""], ...rows]);
}

/** The figures without an Ollama that have a bar; the benchmark prints the others too. */
export function benchTable({ machine, results }) {
  const figures = Object.entries(results).flatMap(([name, list]) =>
    list.filter(hasBar).map((figure) => ({ name, ...figure })),
  );
  const bar = ({ atMost, atLeast }) =>
    [atLeast !== undefined && `≥ ${rounded(atLeast)}`, atMost !== undefined && `≤ ${rounded(atMost)}`]
      .filter(Boolean)
      .join(", ");
  const isMet = ({ value, atMost = Infinity, atLeast = -Infinity }) => value <= atMost && value >= atLeast;
  const rows = worstOfEach(figures).map((figure) => [
    `${figure.name}: ${figure.what.trim()}`,
    isMet(figure) ? rounded(figure.value, figure.unit) : `**${rounded(figure.value, figure.unit)}**, missed`,
    bar(figure),
  ]);
  return `${table([["", "measured", "bar"], ...rows])}\n\nMachine: ${where(machine)}.`;
}

/** Of figures that differ in what stands behind their comma, the worst: a table that is read beats one that is whole. */
function worstOfEach(figures) {
  const alike = new Map();
  for (const figure of figures) {
    const { name, what, atLeast, atMost } = figure;
    const key = [name, what.split(",")[0], atLeast, atMost].join("|");
    alike.set(key, [...(alike.get(key) ?? []), figure]);
  }
  return [...alike.values()].map((list) => {
    if (list.length === 1) return list[0];
    const sorted = list.toSorted((a, b) => a.value - b.value);
    const worst = list[0].atLeast === undefined ? sorted.at(-1) : sorted[0];
    return { ...worst, what: `${worst.what.split(",")[0]}, the worst of ${list.length}` };
  });
}

function hasBar({ atMost, atLeast }) {
  return atMost !== undefined || atLeast !== undefined;
}

/** The part of the demo's output that does not differ with the machine's folders. */
export function demoText(output) {
  const from = output.search(/^\d+ calls {2}/m);
  const to = output.search(/^The store:/m);
  if (from < 0 || to < from) throw new Error(`the demo printed no table:\n${output}`);
  return `\`\`\`\n${output.slice(from, to).trim()}\n\`\`\``;
}

function report(name) {
  const path = join(root, "reports", `${name}.json`);
  if (!existsSync(path)) {
    console.log(`no reports/${name}.json: its place stays as it is`);
    return null;
  }
  const content = JSON.parse(readFileSync(path, "utf8"));
  if (content.isShort) {
    console.error(`reports/${name}.json is of a short run: its figures are not for the README`);
    process.exitCode = 1;
    return null;
  }
  return content;
}

function fill(file, name, content) {
  const path = join(root, file);
  writeFileSync(path, filled(readFileSync(path, "utf8"), name, content));
}

function main() {
  const { values } = parseArgs({ options: { demo: { type: "boolean" } } });
  if (values.demo) {
    const { stdout } = spawnSync("npm", ["run", "--silent", "demo", "--", "--embedded"], {
      cwd: root,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "inherit"],
    });
    fill("README.md", "demo", demoText(stdout));
    return;
  }
  const [live, batch, bench] = ["bench-live", "bench-live-batch", "bench"].map(report);
  if (live) fill("README.md", "bench:live", liveTable(live));
  if (batch) fill("docs/measurements.md", "batch", batchTable(batch));
  if (bench) fill("docs/measurements.md", "bench", benchTable(bench));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main();

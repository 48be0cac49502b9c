/**
 * `npm run bench -- [NAME ...] [--short]`: figures without an Ollama, printed and written to `reports/bench.json`.
 * Compared are ratios of one run; on a busy machine times are longer than on a quiet one, and p99 most of all.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { type Benchmark, type Figure, isMet, shown } from "./figures.js";
import { machine } from "./machine.js";
import { callbacks } from "./offline/callbacks.js";
import { deciding } from "./offline/deciding.js";
import { longPrompts } from "./offline/longPrompts.js";
import { overhead } from "./offline/overhead.js";
import { simulated } from "./offline/simulated.js";
import { storeAppend } from "./offline/storeAppend.js";
import { fingerprinting, matching } from "./offline/templates.js";
import { tokenCounting } from "./offline/tokens.js";
import { server } from "./server/server.js";

const BENCHMARKS: Readonly<Record<string, Benchmark>> = {
  deciding,
  fingerprints: fingerprinting,
  matching,
  tokens: tokenCounting,
  longPrompts,
  store: storeAppend,
  overhead,
  callbacks,
  simulation: simulated,
  server,
};

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: { short: { type: "boolean", default: false } },
});
const unknown = positionals.filter((name) => !(name in BENCHMARKS));
if (unknown.length > 0) {
  console.error(`No benchmark ${unknown.join(", ")}; there are ${Object.keys(BENCHMARKS).join(", ")}`);
  process.exit(2);
}
const results: Record<string, readonly Figure[]> = {};
const where = machine();
console.log(
  Object.entries(where)
    .map(([key, value]) => `${key} ${value}`)
    .join(", "),
);
for (const [name, benchmark] of Object.entries(BENCHMARKS)) {
  if (positionals.length > 0 && !positionals.includes(name)) continue;
  console.log(`\n${name}: ${benchmark.title}`);
  const figures = await benchmark.run({ short: flags.short });
  for (const figure of figures) console.log(shown(figure));
  results[name] = figures;
}
const missed = Object.entries(results).flatMap(([name, figures]) =>
  figures.filter((figure) => !isMet(figure)).map(({ what }) => `${name}: ${what}`),
);
console.log(`\n${missed.length === 0 ? "all bars met" : `missed: ${missed.join("; ")}`}`);
mkdirSync("reports", { recursive: true });
const report = { machine: where, isShort: flags.short, results };
writeFileSync("reports/bench.json", `${JSON.stringify(report, null, 2)}\n`);
process.exit();

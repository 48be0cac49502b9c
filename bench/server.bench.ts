/**
 * `node bench/start.mjs server.bench [addedTime|throughput|chunkDelay|memory ...] [--short]`: the server's figures
 * beside those of its upstream and of the Portkey gateway, printed and written to `reports/bench-server.json`.
 * Upstream, server, gateway and client share the machine: on two cores they take turns.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { type Figure, isMet, shown } from "./figures.js";
import { machine } from "./machine.js";
import { addedTime } from "./server/addedTime.js";
import { chunkDelay } from "./server/chunkDelay.js";
import { memory } from "./server/memory.js";
import { startOptimizer, startPortkey } from "./server/programs.js";
import { throughput } from "./server/throughput.js";
import { startUpstream } from "./server/upstream.js";

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: { short: { type: "boolean", default: false } },
});
const SHORT = { seconds: 4, warmUpCalls: 500 };
const LONG = { seconds: 16, warmUpCalls: 8_000 };
const upstream = await startUpstream();
const optimizer = await startOptimizer(upstream.origin);
const portkey = await startPortkey();
const parts: Readonly<Record<string, () => Promise<Figure[]>>> = {
  addedTime: () => addedTime(upstream, optimizer, portkey, flags.short ? 3 : 25),
  throughput: () => throughput(upstream, optimizer, portkey, flags.short ? SHORT : LONG),
  chunkDelay: () => chunkDelay(upstream, optimizer, flags.short ? 3 : 10),
  memory: async () => {
    // One that has done nothing yet.
    const fresh = await startOptimizer(upstream.origin);
    return memory(fresh, flags.short ? 5_000 : 100_000).finally(() => fresh.stop());
  },
};
const where = machine();
const described = Object.entries(where).map(([key, value]) => `${key} ${value}`);
console.log(described.join(", "));
const results: Record<string, Figure[]> = {};
try {
  for (const [name, measure] of Object.entries(parts)) {
    if (positionals.length > 0 && !positionals.includes(name)) continue;
    console.log(`\n${name}`);
    results[name] = await measure();
    for (const figure of results[name]!) console.log(shown(figure));
  }
} finally {
  await Promise.all([optimizer.stop(), portkey.stop()]);
  upstream.stop();
}
const missed = Object.values(results)
  .flat()
  .filter((figure) => !isMet(figure))
  .map(({ what }) => what.trim());
console.log(`\n${missed.length === 0 ? "all bars met" : `missed: ${missed.join("; ")}`}`);
mkdirSync("reports", { recursive: true });
const report = { machine: where, isShort: flags.short, results };
writeFileSync("reports/bench-server.json", `${JSON.stringify(report, null, 2)}\n`);
process.exit();

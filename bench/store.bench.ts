/**
 * `node bench/start.mjs store.bench [--short] [FILE]`: the store's figures, printed and, with a file name, written as
 * JSON. Each is measured in processes of its own; servers are compared with a bare client loop of the same run.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { startPostgres, startRedis } from "../scripts/services/servers.mjs";
import { openJsonStore } from "../src/storage/json/openJsonStore.js";
import { type Figure, isMet, quantile, shown } from "./figures.js";

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: { short: { type: "boolean", default: false } },
});
const program = fileURLToPath(new URL("./store/process.js", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "store-bench-"));
const figures: Figure[] = [];

function add(figure: Figure): void {
  figures.push(figure);
  console.log(shown(figure));
}

async function run<T>(...words: string[]): Promise<T> {
  const child = spawn(process.execPath, ["--expose-gc", program, ...words], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  child.stdout.on("data", (data) => {
    output += data;
  });
  const code = await new Promise((done) => child.once("close", done));
  if (code !== 0) throw new Error(`${words.join(" ")} ended with ${code}`);
  return JSON.parse(output) as T;
}

/** Records per second of several processes at once. */
async function throughput(mode: string, where: string, processes: number, each: number): Promise<number> {
  const runs = Array.from({ length: processes }, (_, index) =>
    run<{ ms: number }>(mode, where, `${mode}${index}`, String(each)),
  );
  const times = (await Promise.all(runs)).map(({ ms }) => ms);
  return (processes * each * 1000) / Math.max(...times);
}

async function largeStore(): Promise<void> {
  const large = join(folder, "large");
  const records = flags.short ? 20_000 : 100_000;
  await run("fill", large, "fill", String(records));
  const name = `${records / 1000}k requests, ${records / 10_000}k templates`;
  interface Opened {
    readonly syncMs: number;
    readonly openMs: number;
    readonly blockedMs: number;
    readonly rssMb: number;
    readonly heapMb: number;
  }
  const empty = await run<Opened>("open", join(folder, "empty"));
  const opens: Opened[] = [];
  for (let index = 0; index < 5; index++) opens.push(await run<Opened>("open", large));
  const best = (pick: (opened: Opened) => number) => Math.min(...opens.map(pick));
  add({ what: `open ${name}, best of 5`, value: best(({ openMs }) => openMs), unit: "ms", atMost: 300 });
  add({
    what: "  until the first read is answered",
    value: best(({ syncMs }) => syncMs),
    unit: "ms",
    atMost: 20,
  });
  add({
    what: "  event loop blocked while opening, best of 5",
    value: best(({ blockedMs }) => blockedMs),
    unit: "ms",
    atMost: 20,
  });
  add({
    what: "  memory over an empty store, resident",
    value: best(({ rssMb }) => rssMb) - empty.rssMb,
    unit: "MB",
    atMost: 60,
  });
  add({
    what: "  memory over an empty store, heap",
    value: best(({ heapMb }) => heapMb) - empty.heapMb,
    unit: "MB",
  });

  interface Used {
    readonly calls: number[];
    readonly acknowledged: number[];
    readonly blockedMs: number;
  }
  const count = flags.short ? "1000" : "5000";
  const bare = await run<Used>("sync", join(folder, "bare"), "bare", count);
  const used = await run<Used>("use", large, "use", count);
  const at = (values: number[], share: number) =>
    quantile(
      [...values].sort((a, b) => a - b),
      share,
    );
  add({ what: `append to ${name}: the call, p99`, value: at(used.calls, 0.99), unit: "ms", atMost: 1 });
  add({ what: "  acknowledged, p50", value: at(used.acknowledged, 0.5), unit: "ms" });
  add({ what: "  acknowledged, p99", value: at(used.acknowledged, 0.99), unit: "ms", atMost: 10 });
  add({
    what: "  a bare write and fdatasync of one line, p50",
    value: at(bare.acknowledged, 0.5),
    unit: "ms",
  });
  add({
    what: "  a bare write and fdatasync of one line, p99",
    value: at(bare.acknowledged, 0.99),
    unit: "ms",
  });
  add({
    what: "  event loop blocked by appends, folding, compaction and reading",
    value: used.blockedMs,
    unit: "ms",
    atMost: 20,
  });
}

async function manyProcesses(): Promise<void> {
  const shared = join(folder, "shared");
  const each = flags.short ? 1_000 : 10_000;
  const start = performance.now();
  await throughput("json", shared, 8, each);
  const seconds = (performance.now() - start) / 1000;
  const store = openJsonStore(shared);
  let found = 0;
  for await (const _ of store.requests()) found++;
  await store.close();
  add({ what: `8 processes x ${each} appends to one folder`, value: seconds, unit: "s", atMost: 60 });
  add({ what: "  lost", value: 8 * each - found, unit: "", atMost: 0 });
}

async function servers(): Promise<void> {
  const each = flags.short ? 2_500 : 25_000;
  for (const [name, start, mode] of [
    ["Redis", startRedis, "redis"],
    ["PostgreSQL", startPostgres, "postgres"],
  ] as const) {
    const server = await start();
    if (server === null) {
      console.log(`  ${name} is not installed: skipped`);
      continue;
    }
    try {
      const bare = await throughput(`${mode}Bare`, server.url, 4, each);
      const store = await throughput(mode, server.url, 4, each);
      add({ what: `${name}: ${4 * each} appends from 4 processes`, value: store, unit: "/s" });
      add({ what: "  by a bare client loop", value: bare, unit: "/s" });
      add({ what: "  share of the bare loop's speed", value: store / bare, unit: "", atLeast: 0.5 });
    } finally {
      await server.stop();
    }
  }
}

try {
  await largeStore();
  await manyProcesses();
  await servers();
  const missed = figures.filter((figure) => !isMet(figure)).map(({ what }) => what.trim());
  console.log(missed.length === 0 ? "all bars met" : `missed: ${missed.join("; ")}`);
  const [file] = positionals;
  if (file !== undefined) writeFileSync(file, `${JSON.stringify(figures, null, 2)}\n`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

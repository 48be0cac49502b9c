/**
 * `node bench/start.mjs monitor.bench [--short]`: what the monitor costs by record and in memory, on a week's traffic
 * of 4 models and 240 templates, the common ones far more often than the rare ones. Costs are times of the CPU, which
 * other programs of the machine do not lengthen much.
 */
import { parseArgs } from "node:util";
import { Alerts, Monitor } from "../src/monitor/index.js";
import type { RequestRecord } from "../src/records.js";
import { type Figure, isMet, quantile, shown } from "./figures.js";
import { benchRequest } from "./store/records.js";

const WEEK_MS = 7 * 86_400_000;
const BATCH = 5_000;
const HANDFUL = 200;
const MODELS = ["qwen3:8b", "llama3.2:3b", "smollm2", "gemma3:12b"];
const TEMPLATES = 240;
const BASE = benchRequest("base");

const { values: flags } = parseArgs({ options: { short: { type: "boolean", default: false } } });
const records = flags.short ? 100_000 : 1_000_000;

/** The same in every run (Park and Miller's generator). */
let state = 20_25;
function random(): number {
  state = (state * 16_807) % 2_147_483_647;
  return (state - 1) / 2_147_483_646;
}

function lognormal(median: number, sigma: number): number {
  const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  return median * Math.exp(sigma * normal);
}

function requestAt(index: number, at: number): RequestRecord {
  const template = Math.floor(TEMPLATES ** random()) - 1;
  return {
    ...BASE,
    id: `${index}`,
    at: new Date(at).toISOString(),
    model: MODELS[template % MODELS.length]!,
    templateId: `template-${template}`,
    totalMs: lognormal(900 + 20 * template, 0.5),
    timeToFirstTokenMs: lognormal(250, 0.6),
    outputMs: lognormal(700, 0.4),
    host: { cpuPercent: 100 * random(), memoryUsedBytes: 1e10 * random(), memoryTotalBytes: 1e10 },
  };
}

function held(): number {
  globalThis.gc?.();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

/** Time of the CPU that work took, in microseconds. */
function cpuTime(work: () => void): number {
  const { user, system } = process.cpuUsage();
  work();
  const after = process.cpuUsage();
  return after.user - user + after.system - system;
}

/** A week's records, taken in by `take`. */
function fill(take: (request: RequestRecord) => void, now: number): void {
  for (let index = 0; index < records; index++) {
    take(requestAt(index, now - WEEK_MS + (WEEK_MS * index) / records));
  }
}

/**
 * Costs by record of work on the same traffic. The same 200 records again and again, a moment later each time: neither
 * making them nor waiting for them from memory is what is measured.
 *
 * @param now goes on
 * @returns microseconds by record of each 5,000, ascending
 */
function costsOf(take: (request: RequestRecord) => void, now: { value: number }): number[] {
  const handful = Array.from({ length: HANDFUL }, (_, index) => requestAt(index, 0)) as Mutable[];
  const costs: number[] = [];
  for (let done = 0; done < records; done += BATCH) {
    let cost = 0;
    for (let part = 0; part < BATCH; part += HANDFUL) {
      for (const request of handful) {
        now.value += WEEK_MS / records;
        request.at = new Date(now.value).toISOString();
      }
      cost += cpuTime(() => {
        for (const request of handful) take(request);
      });
    }
    costs.push(cost / BATCH);
  }
  return costs.sort((a, b) => a - b);
}

type Mutable = { -readonly [K in keyof RequestRecord]: RequestRecord[K] };

const now = Date.now();
const before = held();
const monitor = new Monitor({ now: () => now });
fill((request) => void monitor.record(request), now);
const bytes = held() - before;
const clock = { value: now };
const timed = new Monitor({ now: () => clock.value });
const costs = costsOf((request) => void timed.record(request), clock);
let characters = 0;
const written = costsOf((request) => {
  characters += JSON.stringify(request).length;
}, clock);
const reading = performance.now();
monitor.figures({ days: 7 });
const readMs = performance.now() - reading;
const { forgotten, bytes: counted } = monitor.state;

const beforeAlerts = held();
const watched = new Monitor({ now: () => now, maxBytes: 0 });
const alerts = new Alerts({ monitor: watched, now: () => now });
const judged: number[] = [];
for (let first = 0; first < 100_000; first += BATCH) {
  for (let index = 0; index < BATCH; index++) {
    watched.record(requestAt(first + index, now - 1_000_000 + 10 * (first + index)));
  }
  judged.push(cpuTime(() => void alerts.look()) / BATCH);
}
judged.sort((a, b) => a - b);
const withAlerts = held() - beforeAlerts;
alerts.close();

const ratio = quantile(costs, 0.5) / quantile(written, 0.5);
const figures: Figure[] = [
  { what: `a record, of ${records}, p50`, value: quantile(costs, 0.5), unit: "us", atMost: 2 },
  { what: "a record, the slowest of batches of 5,000", value: costs.at(-1)!, unit: "us" },
  { what: "the same, of writing it as JSON, as every store does", value: ratio, unit: "x" },
  { what: "memory, with the newest 1,000 requests", value: bytes / 1e6, unit: "MB", atMost: 20 },
  { what: "of it figures, as the monitor counts them", value: counted / 1e6, unit: "MB" },
  { what: "templates forgotten for it", value: forgotten, unit: "" },
  { what: "figures of 7 days", value: readMs, unit: "ms" },
  { what: "judging a record for alerts, beside its call, p50", value: quantile(judged, 0.5), unit: "us" },
  { what: "memory of alerts and their monitor", value: withAlerts / 1e6, unit: "MB" },
];
for (const figure of figures) console.log(shown(figure));
if (characters === 0) throw new Error("nothing was written");
process.exit(figures.every(isMet) ? 0 : 1);

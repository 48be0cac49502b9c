/**
 * `node bench/start.mjs analysis.bench`: what a report over 100,000 requests takes, and for how long it holds up the
 * event loop at most. Records are made beforehand; reading them from a store is the store's time.
 */

import { reportOf } from "../src/analysis/report.js";
import { reportHtml } from "../src/analysis/reportHtml.js";
import { reportMarkdown } from "../src/analysis/reportMarkdown.js";
import { seededRandom } from "../src/calibration/prose.js";
import type { RequestRecord } from "../src/records.js";
import { type Figure, isMet, median, shown } from "./figures.js";

const CALLS = 100_000;
const DAYS = 30;
const START = Date.UTC(2026, 0, 1);

/** Three models, 40 templates, a tenth of repeated prompts, a hundredth of slow calls, reloads now and then. */
function log(): RequestRecord[] {
  const random = seededRandom(1);
  const normal = (): number => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  return Array.from({ length: CALLS }, (_, index) => {
    const template = Math.floor(40 * random() ** 2);
    const isLoad = random() < 0.002;
    const promptTokens = Math.round(400 * Math.exp(0.6 * normal()));
    const outputTokens = Math.round(120 * Math.exp(0.5 * normal()));
    const loadMs = isLoad ? 3000 * Math.exp(0.2 * normal()) : 5 + 10 * random();
    const promptMs = 0.5 * promptTokens * Math.exp(0.1 * normal());
    const outputMs = 20 * outputTokens * Math.exp(0.1 * normal()) * (random() < 0.01 ? 8 : 1);
    const at = START + (index * DAYS * 86_400_000) / CALLS;
    return {
      schemaVersion: 1,
      id: `call-${index}`,
      at: new Date(at).toISOString(),
      source: "model",
      serverId: "server",
      model: `model-${template % 3}`,
      digest: null,
      templateId: `template-${template}`,
      promptHash: (random() < 0.1 ? template : index).toString(16).padStart(64, "0"),
      inputTokens: 50,
      promptTokens,
      outputTokens,
      cachedTokens: Math.round(0.6 * promptTokens),
      totalMs: loadMs + promptMs + outputMs + 2,
      loadMs,
      promptMs,
      outputMs,
      timeToFirstTokenMs: loadMs + promptMs + 20,
      numCtx: 8192,
      numBatch: null,
      modelBytes: 4e9,
      modelVramBytes: 4e9,
      host: {
        cpuPercent: 20 + (Math.floor(index / 50) % 7),
        memoryUsedBytes: 8e9 + (Math.floor(index / 50) % 11) * 1e7,
        memoryTotalBytes: 16e9,
      },
      doneReason: "stop",
      toolCalls: 0,
      quality: 1,
      error: random() < 0.003 ? "TIMEOUT" : null,
      decision: null,
      runId: null,
      tags: [template % 2 ? "chat" : "batch"],
    };
  });
}

interface Taken<T> {
  readonly value: T;
  readonly ms: number;
  /** Processor time, of all threads: what is left of `ms` on a machine with nothing else to do. */
  readonly cpuMs: number;
  /** Between two turns of the event loop, at most; and its processor time. */
  readonly longestMs: number;
  readonly longestCpuMs: number;
}

async function measured<T>(work: () => Promise<T>): Promise<Taken<T>> {
  const cpuNow = (): number => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
  };
  let [longestMs, longestCpuMs] = [0, 0];
  let [last, lastCpu] = [performance.now(), cpuNow()];
  let isOver = false;
  const turn = (): void => {
    const [now, cpu] = [performance.now(), cpuNow()];
    longestMs = Math.max(longestMs, now - last);
    longestCpuMs = Math.max(longestCpuMs, cpu - lastCpu);
    [last, lastCpu] = [now, cpu];
    if (!isOver) setImmediate(turn);
  };
  setImmediate(turn);
  const [start, startCpu] = [performance.now(), cpuNow()];
  const value = await work();
  const [ms, cpuMs] = [performance.now() - start, cpuNow() - startCpu];
  isOver = true;
  await new Promise((resolve) => setImmediate(resolve));
  return { value, ms, cpuMs, longestMs, longestCpuMs };
}

const requests = log();
const now = START + (DAYS + 1) * 86_400_000;
const options = {
  now,
  timeZone: "Europe/Berlin",
  prices: {
    models: { "*": { inputPer1k: 0.01, outputPer1k: 0.03 } },
    electricity: { watts: 300, perKilowattHour: 0.3 },
    hosted: { cloud: { inputPer1k: 0.15, outputPer1k: 0.6 } },
  },
};
const runs = [];
for (let run = 0; run < 7; run++) runs.push(await measured(() => reportOf(requests, options)));
const cold = runs[0]!;
const warm = runs.slice(1);
const report = cold.value;
const start = performance.now();
const html = reportHtml(report);
const htmlMs = performance.now() - start;
const markdown = reportMarkdown(report);
const middle = (pick: (run: Taken<unknown>) => number): number => median(warm.map(pick));
const figures: Figure[] = [
  {
    what: `report over ${CALLS} requests, median of six runs`,
    value: middle((run) => run.ms),
    unit: "ms",
    atMost: 300,
  },
  { what: "its processor time", value: middle((run) => run.cpuMs), unit: "ms" },
  { what: "the first in its process", value: cold.ms, unit: "ms" },
  { what: "its processor time", value: cold.cpuMs, unit: "ms" },
  {
    what: "longest stretch without a turn of the event loop, median of six runs",
    value: middle((run) => run.longestMs),
    unit: "ms",
    atMost: 20,
  },
  { what: "its processor time", value: middle((run) => run.longestCpuMs), unit: "ms" },
  { what: "writing it as HTML", value: htmlMs, unit: "ms", atMost: 20 },
  { what: "HTML", value: html.length / 1024, unit: "KiB" },
  { what: "Markdown", value: markdown.length / 1024, unit: "KiB" },
];
for (const figure of figures) console.log(shown(figure));
process.exitCode = figures.every(isMet) ? 0 : 1;

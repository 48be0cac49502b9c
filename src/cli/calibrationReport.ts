/** A calibration for people: what was measured, how sure it is, what follows from it. */

import type { Calibration } from "../calibration/calibration.js";
import { relativeWidth } from "../calibration/estimate.js";
import { type Bar, bars } from "./bars.js";
import type { Style } from "./style.js";
import { count, counted, megabytes, seconds } from "./terminal.js";

/** @param kept where the profile went; null when it was not kept */
export function calibrationReport(
  result: Calibration,
  version: string,
  kept: string | null,
  style: Style,
): string {
  const lines = [
    style("bold", `${result.model} on Ollama ${version}`),
    "",
    ...labelled(summary(result)),
    "",
    `Prompt tokens per second by batch (prompts of ${count(result.promptTokens)} tokens):`,
    bars(batchBars(result)),
    "",
    "Memory by window:",
    bars(windowBars(result)),
    "",
    ...warnings(result).map((text) => style("yellow", text)),
    batchVerdict(result),
    kept === null
      ? "Nothing was kept."
      : `Kept in ${kept}; the optimizer decides by it from the next load on.`,
  ];
  return `${lines.join("\n")}\n`;
}

function labelled(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...rows.map(([label]) => label.length));
  return rows.map(([label, value]) => `${label.padEnd(width)}  ${value}`);
}

function summary(result: Calibration): [string, string][] {
  const { loadMs, line, check, prefixCache, largestWindow } = result;
  const formula = result.formulaBytesPerToken;
  const perThousand = (bytesPerToken: number): string => `${((1024 * bytesPerToken) / 1e6).toFixed(1)} MB`;
  return [
    ["load time", loadMs ? `${seconds(loadMs.value)} ±${percent(relativeWidth(loadMs))}` : "not measured"],
    ["memory without a window", line ? megabytes(line.baseBytes) : "not measured"],
    ["memory per 1,024 tokens of window", line ? perThousand(line.bytesPerToken) : "not measured"],
    ["  by the formula of its cache and mask", formula === null ? "not covered" : perThousand(formula)],
    [
      "  predicted and measured at an unseen window",
      check
        ? `${megabytes(check.predictedBytes)}, ${megabytes(check.measuredBytes)} at ${count(check.numCtx)}`
        : "not measured",
    ],
    ["largest window", `${count(largestWindow.numCtx)}, ${LIMITS[largestWindow.limit]}`],
    [
      "prefix cache",
      prefixCache
        ? `${prefixCache.coldMs.toFixed(0)} -> ${prefixCache.warmMs.toFixed(0)} ms for a prompt whose head was read before: ${percent(1 - prefixCache.leftShare.value)} saved`
        : "not measured",
    ],
    ["measured for", seconds(result.tookMs)],
  ];
}

function batchVerdict({ numBatch, isBatchSure }: Calibration): string {
  if (numBatch === null) return "num_batch stays with Ollama.";
  if (!isBatchSure)
    return `num_batch stays as it is: ${numBatch} seems best, but that is not sure enough to decide by.`;
  return `num_batch ${numBatch}: the smallest within 10 % of the best.`;
}

const LIMITS: Readonly<Record<Calibration["largestWindow"]["limit"], string>> = {
  trained: "all that it was trained for",
  spill: "a larger one spills from GPU memory",
  outOfMemory: "a larger one runs out of memory",
  freeMemory: "a larger one would leave too little memory free",
  unknownMemory: "no larger one was tried, since free memory there is not known (--memory)",
  time: "no larger one was tried for want of time (--seconds)",
};

function batchBars({ batches, numBatch: chosen, isBatchSure }: Calibration): Bar[] {
  return batches.map(({ numBatch, rate, sizeBytes }) => ({
    label: String(numBatch),
    value: rate.value,
    note: `${count(Math.round(rate.value))} ±${percent(relativeWidth(rate))}, ${megabytes(sizeBytes)}${numBatch === chosen ? `  <- ${isBatchSure ? "chosen" : "best so far, not used"}` : ""}`,
  }));
}

function windowBars({ memory, numBatch }: Calibration): Bar[] {
  return memory
    .filter((point) => point.numBatch === numBatch)
    .toSorted((a, b) => a.numCtx - b.numCtx)
    .map(({ numCtx, sizeBytes, vramBytes }) => ({
      label: count(numCtx),
      value: sizeBytes,
      note: `${megabytes(sizeBytes)}${vramBytes > 0 ? `, ${Math.round((100 * vramBytes) / sizeBytes)} % in GPU memory` : ""}`,
    }));
}

function warnings({ uncertain, disturbed, notRestored }: Calibration): string[] {
  return [
    ...(uncertain.length > 0
      ? [`Not sure yet: ${uncertain.join("; ")}. More --seconds, or a quieter machine, make it surer.`]
      : []),
    ...(disturbed > 0
      ? [
          `${counted(disturbed, "measurement")} thrown away: another program loaded the model in between, or the reply lacked its figures.`,
        ]
      : []),
    ...(notRestored.length > 0
      ? [`Could not be loaded again: ${notRestored.join(", ")}. The next call loads them.`]
      : []),
  ];
}

function percent(share: number): string {
  return share > 9 ? "?" : `${Math.round(100 * share)} %`;
}

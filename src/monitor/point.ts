/** What the monitor takes from a request, and the check at its door. */
import type { RequestRecord } from "../records.js";

/** One call in numbers. Durations in milliseconds; null where it was not measured. */
export interface Point {
  /** Start of the call, milliseconds since 1970. */
  readonly at: number;
  readonly model: string;
  readonly templateId: string | null;
  readonly totalMs: number | null;
  readonly timeToFirstTokenMs: number | null;
  /** Output tokens per second. */
  readonly tokensPerSecond: number | null;
  readonly promptTokens: number;
  readonly outputTokens: number;
  readonly cachedTokens: number;
  /** Time that the reload took; null when the model was loaded. */
  readonly reloadMs: number | null;
  readonly cpuPercent: number | null;
  /** Used memory of the machine, in percent. */
  readonly memoryPercent: number | null;
  /** Of all GPUs: mean use, and used memory of all their memory, in percent. */
  readonly gpuPercent: number | null;
  readonly gpuMemoryPercent: number | null;
  readonly modelBytes: number | null;
  /** Share of the model outside GPU memory, 0..1; null where none of it is inside (a CPU machine). */
  readonly spilledShare: number | null;
  readonly isError: boolean;
}

/** Clocks of two machines may differ by so much before a time counts as the future's. */
const CLOCK_SLACK_MS = 60_000;

/**
 * The point of a request; null for one whose time or whose figures cannot be true: no time, the future's, negative
 * or not a number.
 *
 * @param at when it began, milliseconds since 1970; NaN for a time that is none
 * @param now milliseconds since 1970
 */
export function pointOf(request: RequestRecord, at: number, now: number): Point | null {
  if (!(at >= 0 && at <= now + CLOCK_SLACK_MS)) return null;
  const { totalMs, timeToFirstTokenMs, outputTokens, outputMs, host } = request;
  if (isImpossible(totalMs) || isImpossible(timeToFirstTokenMs) || isImpossible(outputMs)) return null;
  if (isImpossible(outputTokens) || isImpossible(request.promptTokens)) return null;
  if (isImpossible(request.cachedTokens) || isImpossible(request.loadMs)) return null;
  const vram = request.modelVramBytes;
  const bytes = request.modelBytes;
  if (isImpossible(vram) || isImpossible(bytes)) return null;
  if (host && (isImpossible(host.cpuPercent) || isImpossible(host.memoryUsedBytes))) return null;
  return {
    at,
    model: request.model,
    templateId: request.templateId,
    // An error's duration says when it failed, not how fast the server answers.
    totalMs: request.error === null ? totalMs : null,
    timeToFirstTokenMs,
    tokensPerSecond: outputTokens && outputMs ? (1000 * outputTokens) / outputMs : null,
    promptTokens: request.promptTokens ?? 0,
    outputTokens: outputTokens ?? 0,
    cachedTokens: request.cachedTokens ?? 0,
    reloadMs: request.decision?.outcome?.reloaded ? (request.loadMs ?? 0) : null,
    cpuPercent: host?.cpuPercent ?? null,
    memoryPercent:
      host && host.memoryTotalBytes > 0 ? (100 * host.memoryUsedBytes) / host.memoryTotalBytes : null,
    gpuPercent: gpuUse(host?.gpus),
    gpuMemoryPercent: gpuMemory(host?.gpus),
    modelBytes: bytes,
    spilledShare: bytes && vram ? 1 - Math.min(1, vram / bytes) : null,
    isError: request.error !== null,
  };
}

type Gpus = NonNullable<RequestRecord["host"]>["gpus"];

function gpuUse(gpus: Gpus): number | null {
  if (!gpus) return null;
  const told = gpus.filter(({ usePercent }) => usePercent !== null);
  if (told.length === 0) return null;
  return told.reduce((sum, { usePercent }) => sum + (usePercent ?? 0), 0) / told.length;
}

function gpuMemory(gpus: Gpus): number | null {
  if (!gpus) return null;
  const total = gpus.reduce((sum, { memoryTotalBytes }) => sum + memoryTotalBytes, 0);
  if (total === 0) return null;
  return (100 * gpus.reduce((sum, { memoryUsedBytes }) => sum + memoryUsedBytes, 0)) / total;
}

/** Absent is possible; these are not. */
function isImpossible(value: number | null | undefined): boolean {
  return typeof value === "number" ? !(value >= 0 && value < Number.POSITIVE_INFINITY) : value != null;
}

/** Everything that is known of one template: its figures, its rules, and how the calls that matched it went. Pure. */
import { quantile, total } from "../../optimizer/histogram.js";
import type { Histogram, RequestRecord, RuleRecord, TemplateRecord } from "../../records.js";

/** Of a distribution; null when nothing was measured. */
export interface Spread {
  readonly samples: number;
  readonly p50: number | null;
  readonly p90: number | null;
  readonly p99: number | null;
}

/** The calls of a template that were sent with one window. */
export interface WindowUse {
  /** Tokens; null: what the server had. */
  readonly numCtx: number | null;
  readonly calls: number;
  readonly reloads: number;
  readonly failed: number;
  readonly totalMs: Spread;
  /** Prompt and reply as a share of the window, median, 0 to 1. */
  readonly used: number | null;
}

/** How well calls fit what was foreseen for them. */
export interface Fit {
  /** Calls with a decision and a reply. */
  readonly decided: number;
  /** Of them: prompt and reply stayed within the window, with nothing cut, shifted or sent again. */
  readonly held: number;
  readonly cut: number;
  readonly shifted: number;
  readonly retried: number;
  /** Prompt tokens counted before the call less those that the server counted, as a share of these; bounds left out. */
  readonly countError: Spread;
  /** Reply as a share of the room that was kept for it. */
  readonly reserveUsed: Spread;
  readonly confidence: Spread;
}

export interface TemplateDetail {
  readonly template: TemplateRecord;
  /** Bits of a fingerprint; the mean distance is out of so many. */
  readonly bits: number | null;
  /** Mean distance of what matched, in bits; 0 is word for word. */
  readonly meanDistance: number | null;
  /** Prefix windows that it has a fingerprint of, in tokens. */
  readonly windows: readonly { readonly tokens: number; readonly isWorking: boolean }[];
  readonly promptTokens: Spread;
  /** Of replies that ended by themselves. */
  readonly outputTokens: Spread;
  readonly totalMs: Spread;
  readonly rules: readonly RuleRecord[];
  /** Tasks behind this system prompt, most seen first. */
  readonly tasks: readonly { readonly id: string; readonly observations: number }[];
  /** Calls in the request log, which may have forgotten older ones. */
  readonly calls: number;
  readonly byWindow: readonly WindowUse[];
  readonly fit: Fit;
  /** Newest first. */
  readonly recent: readonly RequestRecord[];
}

const RECENT = 10;

/** @param requests those of this template, newest first */
export async function templateDetail(
  template: TemplateRecord,
  known: { readonly templates: Iterable<TemplateRecord>; readonly rules: Iterable<RuleRecord> },
  requests: AsyncIterable<RequestRecord>,
): Promise<TemplateDetail> {
  const recent: RequestRecord[] = [];
  const windows = new Map<number | null, WindowTally>();
  const fit = new FitTally();
  let calls = 0;
  for await (const request of requests) {
    calls++;
    if (recent.length < RECENT) recent.push(request);
    const tally = windows.get(request.numCtx) ?? new WindowTally(request.numCtx);
    windows.set(request.numCtx, tally);
    tally.take(request);
    fit.take(request);
  }
  const { counts, id } = template;
  return {
    template,
    bits: bitsOf(template),
    meanDistance: counts.observations > 0 ? (counts.distanceSum ?? 0) / counts.observations : null,
    windows: Object.keys(template.fingerprints ?? {})
      .map(Number)
      .sort((a, b) => a - b)
      .map((tokens) => ({ tokens, isWorking: tokens === template.workingWindow })),
    promptTokens: spreadOfHistogram(counts.promptTokens),
    outputTokens: spreadOfHistogram(counts.outputTokens),
    totalMs: spreadOfHistogram(counts.totalMs),
    rules: [...known.rules].filter(({ templateId }) => templateId === id),
    tasks: [...known.templates]
      .filter(({ systemId }) => systemId === id)
      .map((task) => ({ id: task.id, observations: task.counts.observations ?? 0 }))
      .sort((a, b) => b.observations - a.observations),
    calls,
    byWindow: [...windows.values()]
      .map((tally) => tally.result())
      .sort((a, b) => (a.numCtx ?? 0) - (b.numCtx ?? 0)),
    fit: fit.result(),
    recent,
  };
}

class WindowTally {
  private calls = 0;
  private reloads = 0;
  private failed = 0;
  private readonly totalMs: number[] = [];
  private readonly used: number[] = [];

  constructor(private readonly numCtx: number | null) {}

  take({ error, totalMs, promptTokens, outputTokens, decision }: RequestRecord): void {
    this.calls++;
    this.reloads += Number(decision?.outcome?.reloaded ?? false);
    if (error !== null) {
      this.failed++;
      return;
    }
    if (totalMs !== null) this.totalMs.push(totalMs);
    if (this.numCtx && promptTokens !== null)
      this.used.push((promptTokens + (outputTokens ?? 0)) / this.numCtx);
  }

  result(): WindowUse {
    const { numCtx, calls, reloads, failed } = this;
    return { numCtx, calls, reloads, failed, totalMs: spreadOf(this.totalMs), used: spreadOf(this.used).p50 };
  }
}

class FitTally {
  private decided = 0;
  private held = 0;
  private cut = 0;
  private shifted = 0;
  private retried = 0;
  private readonly countErrors: number[] = [];
  private readonly reserveUsed: number[] = [];
  private readonly confidence: number[] = [];

  take({ decision, promptTokens, outputTokens, error }: RequestRecord): void {
    if (!decision?.outcome || error !== null) return;
    const { cut, shifted, retries } = decision.outcome;
    this.decided++;
    this.cut += Number(cut);
    this.shifted += Number(shifted);
    this.retried += Number(retries > 0);
    this.held += Number(!cut && !shifted && retries === 0);
    // A bound was enough to decide by: nobody counted.
    if (decision.promptTokens !== null && promptTokens && decision.countSource !== "bound")
      this.countErrors.push((decision.promptTokens - promptTokens) / promptTokens);
    if (decision.outputReserve && outputTokens !== null)
      this.reserveUsed.push(outputTokens / decision.outputReserve);
    this.confidence.push(decision.confidence);
  }

  result(): Fit {
    const { decided, held, cut, shifted, retried } = this;
    return {
      decided,
      held,
      cut,
      shifted,
      retried,
      countError: spreadOf(this.countErrors),
      reserveUsed: spreadOf(this.reserveUsed),
      confidence: spreadOf(this.confidence),
    };
  }
}

/** Four bits a hexadecimal digit. */
function bitsOf({ fingerprints = {} }: TemplateRecord): number | null {
  const [print] = Object.values(fingerprints);
  return print === undefined ? null : 4 * print.length;
}

/** Nearest-rank quantiles. */
function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number): number | null =>
    sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? null;
  return { samples: sorted.length, p50: at(0.5), p90: at(0.9), p99: at(0.99) };
}

function spreadOfHistogram(histogram: Histogram = {}): Spread {
  const at = (share: number): number | null => quantile(histogram, share);
  return { samples: total(histogram), p50: at(0.5), p90: at(0.9), p99: at(0.99) };
}

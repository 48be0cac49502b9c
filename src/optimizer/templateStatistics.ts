/** What the records of templates say about the next call: sizes, latencies, how often, how recently. */
import type { TemplateRecord, TemplateScope } from "../records.js";
import { histogramOf, mean, quantile, total } from "./histogram.js";

/** What is known of a call after its reply. */
export interface CallStatistics {
  /** As the server counted them; null when unknown or perhaps cut. */
  readonly promptTokens: number | null;
  readonly outputTokens: number | null;
  readonly totalMs: number | null;
  /** The reply was cut by a limit (`done_reason: length`). */
  readonly censored: boolean;
  /** Error code; null when the call succeeded. */
  readonly error: string | null;
}

/** The figures of one template. Quantiles are at most 2.4 % off; null where nothing was measured. */
export interface TemplateStatistics {
  readonly templateId: string;
  readonly scope: TemplateScope;
  readonly observations: number;
  /** Hamming distance in bits. */
  readonly meanDistance: number;
  readonly errorRate: number;
  readonly promptTokens: { readonly mean: number | null; readonly p99: number | null };
  readonly outputTokens: {
    /** Replies that ended by themselves; the other figures are theirs. */
    readonly samples: number;
    readonly p50: number | null;
    readonly p99: number | null;
    /** Share of replies cut by a limit. Where it is large, p99 is too small. */
    readonly censoredShare: number;
  };
  readonly totalMs: {
    readonly samples: number;
    readonly p50: number | null;
    readonly p95: number | null;
    readonly p99: number | null;
  };
  /** ISO 8601. */
  readonly lastSeen: string;
}

/** Replies below which a more general template's statistics are better evidence. */
const ENOUGH_SAMPLES = 8;

/** One call as increments of a template's counts. A failed call has no length and no latency of its own. */
export function increments(call: CallStatistics): Omit<TemplateRecord["counts"], "distanceSum"> {
  const failed = call.error !== null;
  return {
    observations: 1,
    promptTokens: histogramOf(call.promptTokens),
    outputTokens: failed || call.censored ? {} : histogramOf(call.outputTokens),
    censored: call.censored && !failed ? 1 : 0,
    totalMs: failed ? {} : histogramOf(call.totalMs),
    errors: failed ? 1 : 0,
  };
}

/** Reads a template's record. */
export function templateStatistics(record: TemplateRecord): TemplateStatistics {
  const { counts } = record;
  const observations = Math.max(1, counts.observations);
  return {
    templateId: record.id,
    scope: record.scope,
    observations: counts.observations,
    meanDistance: counts.distanceSum / observations,
    errorRate: counts.errors / observations,
    promptTokens: { mean: mean(counts.promptTokens), p99: quantile(counts.promptTokens, 0.99) },
    outputTokens: outputTokens(record),
    totalMs: {
      samples: total(counts.totalMs),
      p50: quantile(counts.totalMs, 0.5),
      p95: quantile(counts.totalMs, 0.95),
      p99: quantile(counts.totalMs, 0.99),
    },
    lastSeen: record.updatedAt,
  };
}

/** The part of {@link templateStatistics} that each call asks for. */
export function outputTokens({ counts }: TemplateRecord): TemplateStatistics["outputTokens"] {
  const samples = total(counts.outputTokens);
  return {
    samples,
    p50: quantile(counts.outputTokens, 0.5),
    p99: quantile(counts.outputTokens, 0.99),
    censoredShare: counts.censored / Math.max(1, samples + counts.censored),
  };
}

/**
 * The first record with enough replies to judge by, else the one with most.
 *
 * @param records most specific first, as `TemplateIndex.statisticsIds` names them; unknown ones undefined
 * @returns null when none has any reply
 */
export function bestRecord(
  records: Iterable<TemplateRecord | undefined>,
  enough: number = ENOUGH_SAMPLES,
): TemplateRecord | null {
  let best: TemplateRecord | null = null;
  let most = 0;
  for (const record of records) {
    const samples = record === undefined ? 0 : total(record.counts.outputTokens);
    if (samples >= enough) return record!;
    if (samples > most) [best, most] = [record!, samples];
  }
  return best;
}

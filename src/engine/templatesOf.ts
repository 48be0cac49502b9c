/** The templates of each model: an index in memory beside the store's records. */
import type { Configuration } from "../optimizer/configuration.js";
import type { PromptHead } from "../optimizer/fingerprint.js";
import { bestStatistics } from "../optimizer/templateStatistics.js";
import { type CallStatistics, TemplateIndex, type TemplateMatch } from "../optimizer/templates.js";
import type { OptimizerStore } from "../storage/store.js";

/** Fewer replies than this say little about the next one's length. */
const ENOUGH_REPLIES = 5;

export class Templates {
  private readonly indexes = new Map<string, TemplateIndex>();

  constructor(private readonly store: OptimizerStore) {
    store.subscribe(({ kind, id, record }) => {
      if (kind !== "templates") return;
      for (const index of this.indexes.values()) {
        if (record === null) index.forget(id);
        else index.load([record as never]);
      }
    });
  }

  /** The index of a model; its records are read on first use, and again when the store has opened. */
  of(modelDigest: string, configuration: Configuration): TemplateIndex {
    const known = this.indexes.get(modelDigest);
    if (known) return known;
    const { bits, windows, shingle, falseMatchRate, thresholds, maxTemplates: limit } = configuration;
    const index = new TemplateIndex({
      modelDigest,
      bits,
      windows,
      shingle,
      falseMatchRate,
      thresholds,
      limit,
    });
    this.indexes.set(modelDigest, index);
    index.load(this.store.list("templates"));
    void this.store.ready().then(
      () => index.load(this.store.list("templates")),
      () => {},
    );
    return index;
  }

  /** 99th percentile of output tokens, from the most specific records that have seen enough; tokens. */
  outputP99(statisticsIds: readonly string[]): number | undefined {
    const records = statisticsIds.map((id) => this.store.get("templates", id));
    const best = bestStatistics(records)?.outputTokens;
    return best && best.samples >= ENOUGH_REPLIES ? (best.p99 ?? undefined) : undefined;
  }

  /** Learns from a call and keeps what it changed. */
  observe(
    index: TemplateIndex,
    head: PromptHead,
    match: TemplateMatch | null,
    statistics: CallStatistics,
    at: Date,
  ): string | null {
    const { id, changes, evicted } = index.observe(head, match, statistics, at);
    for (const change of changes) void this.store.merge("templates", change as never);
    for (const gone of evicted) void this.store.remove("templates", gone);
    return id;
  }
}

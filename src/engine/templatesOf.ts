/** The templates of each model: an index in memory beside the store's records. */
import type { Configuration } from "../optimizer/configuration.js";
import type { PromptHead } from "../optimizer/fingerprint.js";
import { bestRecord, outputTokens } from "../optimizer/templateStatistics.js";
import { type CallStatistics, TemplateIndex, type TemplateMatch } from "../optimizer/templates.js";
import type { TemplateRecord } from "../records.js";
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
        else this.load(index, [record as TemplateRecord]);
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
    this.load(index, this.store.list("templates"));
    void this.store.ready().then(
      () => {
        this.load(index, this.store.list("templates"));
        this.remove(index.cleanUp(new Date()));
      },
      () => {},
    );
    return index;
  }

  private load(index: TemplateIndex, records: Iterable<TemplateRecord>): void {
    this.remove(index.load(records));
  }

  private remove(ids: readonly string[]): void {
    for (const id of ids) void this.store.remove("templates", id);
  }

  /** Tokens that a person keeps for the replies of the most specific template that has any; undefined without. */
  pinnedReserve(statisticsIds: readonly string[]): number | undefined {
    for (const id of statisticsIds) {
      const reserve = this.store.get("templates", id)?.pinnedReserve;
      if (reserve) return reserve;
    }
    return undefined;
  }

  /** Output tokens of the most specific templates that have seen enough replies; undefined when none has. */
  outputTokens(statisticsIds: readonly string[]): { readonly p50: number; readonly p99: number } | undefined {
    const records = statisticsIds.map((id) => this.store.get("templates", id));
    const record = bestRecord(records);
    const best = record && outputTokens(record);
    if (!best || best.samples < ENOUGH_REPLIES || best.p50 === null || best.p99 === null) return undefined;
    return { p50: best.p50, p99: best.p99 };
  }

  /** Learns from a call and keeps what it changed. */
  observe(
    index: TemplateIndex,
    head: PromptHead,
    match: TemplateMatch | null,
    statistics: CallStatistics,
    at: Date,
  ): string | null {
    const { id, changes, merged, evicted } = index.observe(head, match, statistics, at);
    for (const { from, into } of merged) {
      const counts = this.store.get("templates", from)?.counts;
      if (counts) void this.store.merge("templates", { id: into, counts });
    }
    for (const change of changes) void this.store.merge("templates", change);
    this.remove(merged.map(({ from }) => from));
    this.remove(evicted);
    return id;
  }
}

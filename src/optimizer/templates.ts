/**
 * Templates of one model, learned while calls go by: which recurring prompt shape a prompt has, and what its
 * observation changes in the store. Statistics stay in the store's records (see `templateStatistics.ts`); the
 * index holds only what matching needs.
 */
import type { TemplateRecord, TemplateScope } from "../records.js";
import type { PromptHead } from "./fingerprint.js";

/** What a prompt matched. */
export interface TemplateMatch {
  readonly templateId: string;
  /** "task" when the user text has a known shape, "system" when only its system prompt is known. */
  readonly scope: Exclude<TemplateScope, "length">;
  /** Template of the system prompt, for both scopes; null when the prompt has none. */
  readonly systemId: string | null;
  /** Tokens of the prefix that is stable. */
  readonly window: number;
  /** Hamming distance to the majority fingerprint, in bits. */
  readonly distance: number;
  /** 0..1: how unlikely the match is by chance, and how often the template was seen. */
  readonly confidence: number;
}

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

/** A change for the store's `merge("templates", change)`: `counts` hold increments. */
export type TemplateChange = Partial<Omit<TemplateRecord, "id" | "counts">> & {
  readonly id: string;
  readonly counts: Partial<TemplateRecord["counts"]>;
};

/** What an observation did. */
export interface TemplateObservation {
  /** Template that the prompt belongs to from now on; null for a very short prompt. */
  readonly id: string | null;
  /** To be merged into the store: the task's, its system prompt's, or its length bucket's. */
  readonly changes: readonly TemplateChange[];
  /** To be removed from the store. */
  readonly evicted: readonly string[];
}

export declare class TemplateIndex {
  constructor(options: { readonly modelDigest: string });
  /** Templates held. */
  get size(): number;
  /** Takes over records of the store; those of other models or fingerprint settings are left aside. */
  load(records: Iterable<TemplateRecord>): void;
  /** Forgets a template that was removed elsewhere. */
  forget(id: string): void;
  match(head: PromptHead): TemplateMatch | null;
  /** Learns from a call, with what {@link match} said before it. */
  observe(
    head: PromptHead,
    match: TemplateMatch | null,
    statistics: CallStatistics,
    at: Date,
  ): TemplateObservation;
  /**
   * Ids of the records whose statistics apply to a prompt, most specific first: task, system prompt, length
   * bucket. For `bestStatistics(ids.map((id) => store.get("templates", id)))`.
   */
  statisticsIds(head: PromptHead, match: TemplateMatch | null): readonly string[];
}

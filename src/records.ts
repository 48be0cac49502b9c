/**
 * The shared vocabulary as plain data. Everything here may be saved, so a field that exists once keeps its
 * name and meaning; a changed shape raises {@link SCHEMA_VERSION} and brings a migration.
 *
 * Two kinds of fields merge differently when several programs write the same record (see `storage/store.ts`):
 * numbers below `counts` are added, everything else is replaced by the later writer.
 */

/** Version of every saved shape in this file. */
export const SCHEMA_VERSION = 1;

/** Where a token count comes from: the model's own tokenizer, a proven upper bound, or an estimate. */
export type CountSource = "exact" | "bound" | "estimate";

/** What was done about the window of a call. */
export type DecisionAction = "keep" | "grow" | "load" | "shrink" | "pass";

/** Runner options: every one of them reloads the model when it changes (Ollama `api/types.go`, Runner). */
export interface RunnerOptions {
  readonly num_ctx?: number;
  readonly num_batch?: number;
  readonly num_gpu?: number;
  readonly main_gpu?: number;
  readonly use_mmap?: boolean;
  readonly num_thread?: number;
}

/** What became of a call, known after its reply. Null: it went out as it was written, and that cannot be told. */
export interface DecisionOutcome {
  /** Requests sent again because of a context error or out of memory. */
  readonly retries: number;
  /** The model was loaded anew for this call. */
  readonly reloaded: boolean | null;
  /** Prompt and output passed the window: Ollama forgot the middle of the prompt. */
  readonly shifted: boolean | null;
  /** The server cut the prompt. */
  readonly cut: boolean | null;
  /** Error code, never a server's text (it may quote the prompt). */
  readonly error: string | null;
}

/** The decision about one call. Permanent once saved. Windows and counts are in tokens. */
export interface DecisionRecord {
  readonly id: string;
  readonly schemaVersion: number;
  /** Raised whenever the rules that decide change, so that records stay comparable. */
  readonly policyVersion: number;
  readonly serverId: string;
  /** Digest of the weights blob: names of one blob share one loaded runner. Empty when unknown. */
  readonly slot: string;
  readonly action: DecisionAction;
  readonly numCtx: number | null;
  readonly numBatch: number | null;
  /** What was sent as `num_predict`, whoever set it. */
  readonly numPredict: number | null;
  readonly loadedNumCtx: number | null;
  readonly promptTokens: number | null;
  readonly needTokens: number | null;
  readonly outputReserve: number | null;
  readonly countSource: CountSource;
  /** 0..1: how sure the count and the template are. */
  readonly confidence: number;
  readonly templateId: string | null;
  /** Messages left out by `onOverflow: "trim"`. */
  readonly trimmedMessages: number;
  /** One sentence for people. */
  readonly reason: string;
  /** Time spent on deciding and counting before the call went out. */
  readonly decideMs: number;
  /** Absent until the reply. */
  readonly outcome?: DecisionOutcome;
}

/** Who recorded a call: the chat model itself, the callback handler, or the server. */
export type RequestSource = "model" | "callback" | "server";

/** One call and what it cost: a line of the request log. Durations in milliseconds, counts in tokens. */
export interface RequestRecord {
  readonly schemaVersion: number;
  readonly id: string;
  /** ISO 8601, start of the call. */
  readonly at: string;
  readonly source: RequestSource;
  readonly serverId: string;
  readonly model: string;
  /** Digest of the model (not of its weights); null when unknown. */
  readonly digest: string | null;
  readonly templateId: string | null;
  /** HMAC-SHA-256 of the prompt with the store's key, so that it cannot be guessed back. */
  readonly promptHash: string | null;
  /** Tokens of the last user input alone (estimate) and of the whole prompt as the server counted it. */
  readonly inputTokens: number | null;
  readonly promptTokens: number | null;
  readonly outputTokens: number | null;
  /** Prompt tokens that came from the prefix cache (Ollama >= 0.33.3). */
  readonly cachedTokens: number | null;
  readonly totalMs: number | null;
  readonly loadMs: number | null;
  readonly promptMs: number | null;
  readonly outputMs: number | null;
  readonly timeToFirstTokenMs: number | null;
  /** What was sent. */
  readonly numCtx: number | null;
  readonly numBatch: number | null;
  /** From `/api/ps`, when known: bytes of the loaded model and of it in GPU memory. */
  readonly modelBytes: number | null;
  readonly modelVramBytes: number | null;
  /** The machine of this program at the last sample, at most 10 s old; absent when not sampled. */
  readonly host?: {
    readonly cpuPercent: number;
    readonly memoryUsedBytes: number;
    readonly memoryTotalBytes: number;
    /** Where the system tells of any. */
    readonly gpus?: readonly {
      readonly name: string;
      readonly usePercent: number | null;
      readonly memoryUsedBytes: number;
      readonly memoryTotalBytes: number;
      /** What it draws. */
      readonly watts: number | null;
    }[];
  };
  readonly doneReason: string | null;
  readonly toolCalls: number;
  /** Quality proxy in [0, 1]; null when nothing was answered. */
  readonly quality: number | null;
  /** Error code; null when the call succeeded. */
  readonly error: string | null;
  readonly decision: DecisionRecord | null;
  /** LangChain run id, when there was one. */
  readonly runId: string | null;
  /** Only with `storeText: true`, after redaction. */
  readonly text?: { readonly prompt: string; readonly reply: string };
  readonly owner?: string;
  readonly tags?: readonly string[];
}

/** A call of which an observer knows only that it was made. */
export const OBSERVED_CALL: Omit<RequestRecord, "id" | "at" | "serverId" | "model" | "totalMs"> = {
  schemaVersion: SCHEMA_VERSION,
  source: "callback",
  digest: null,
  templateId: null,
  promptHash: null,
  inputTokens: null,
  promptTokens: null,
  outputTokens: null,
  cachedTokens: null,
  loadMs: null,
  promptMs: null,
  outputMs: null,
  timeToFirstTokenMs: null,
  numCtx: null,
  numBatch: null,
  modelBytes: null,
  modelVramBytes: null,
  doneReason: null,
  toolCalls: 0,
  quality: null,
  error: null,
  decision: null,
  runId: null,
};

/**
 * A mergeable distribution: counts per logarithmic bucket. Bucket i holds values in (g^(i-1), g^i] with
 * g = 1.05 (DDSketch, Masson et al. 2019; relative error of a quantile at most 2.5 %); bucket "0" also holds
 * everything up to 1.
 */
export type Histogram = Readonly<Record<string, number>>;

/** Additive part of a record: numbers, arrays of numbers (added element by element), nested objects of them. */
export type Counts = { readonly [key: string]: number | readonly number[] | Counts };

/** What every stored document has. */
export interface StoredRecord {
  readonly schemaVersion: number;
  readonly id: string;
  /** ISO 8601; the earliest wins on merge. */
  readonly createdAt: string;
  /** ISO 8601; the latest wins on merge, and its writer's fields with it. */
  readonly updatedAt: string;
  /** Added on merge, never replaced. */
  readonly counts: Counts;
}

/**
 * What a template stands for. "task": one shape of user text, behind one system prompt or none. "system":
 * everything behind one system prompt. "length": prompts of one length bucket, for those that match nothing.
 */
export type TemplateScope = "task" | "system" | "length";

/**
 * A recurring prompt shape of one model, seen through SimHash. Votes of the majority stay in memory: 128
 * numbers per window would be 15 KB a template, and a restart can begin again from the fingerprint they made.
 */
export interface TemplateRecord extends StoredRecord {
  /** Digest of the model whose prompts these are. */
  readonly modelDigest: string;
  /** Bits, window grid and shingle length; other settings re-learn, they never compare. */
  readonly fingerprintVersion: string;
  readonly scope: TemplateScope;
  /** Template of the system prompt that a task stands behind; null when there is none. */
  readonly systemId: string | null;
  /** Tokens of the prefix window that matching uses at present; 0 for scope "length". */
  readonly workingWindow: number;
  /** Majority fingerprint, hex, by window in tokens, e.g. "128": of the user text (task) or the system text. */
  readonly fingerprints: Readonly<Record<string, string>>;
  /** A person wants it kept: it is never forgotten by age or for want of room. */
  readonly isPinned?: boolean;
  /** A person fixed the tokens that are kept for its replies. */
  readonly pinnedReserve?: number | null;
  readonly counts: {
    readonly observations: number;
    /** Sum of Hamming distances at match, in bits; mean distance = distanceSum / observations. */
    readonly distanceSum: number;
    readonly promptTokens: Histogram;
    /** Of replies that ended by themselves. */
    readonly outputTokens: Histogram;
    /** Replies cut by a limit: how long they would have been is not known. */
    readonly censored: number;
    readonly totalMs: Histogram;
    readonly errors: number;
  };
}

/** What is known of one slot: one loaded runner of one server. Its id is `${serverId} ${blob}`. */
export interface ProfileRecord extends StoredRecord {
  readonly serverId: string;
  /** Digest of the weights. */
  readonly blob: string;
  readonly models: readonly string[];
  /** Trained window in tokens; null when unknown. */
  readonly trainedNumCtx: number | null;
  /** All runner options last sent: repeated until the next reload, or they reload the model. */
  readonly lastOptions: RunnerOptions;
  /** Observed `load_duration` of reloads, newest last, at most 16. */
  readonly loadMs: readonly number[];
  /** Observed warm `load_duration`, newest last, at most 32: a reload is what stands far above them. */
  readonly warmLoadMs: readonly number[];
  /** Needs of recent calls in tokens, newest last, at most 64. */
  readonly recentNeeds: readonly number[];
  /** The largest needs seen, descending, at most 6. */
  readonly largestNeeds: readonly number[];
  /** Windows that ran out of memory. */
  readonly ceilings: readonly {
    readonly numCtx: number;
    readonly at: string;
    readonly loadedBytes: number;
  }[];
  /** Measured points of the memory model. */
  readonly memory: readonly {
    readonly numCtx: number;
    readonly numBatch: number | null;
    readonly sizeBytes: number;
    readonly vramBytes: number;
  }[];
  /** Batch sizes with evidence of their prompt rate (tokens per second) and memory. */
  readonly batches: readonly {
    readonly numBatch: number;
    readonly promptTokensPerSecond: number;
    readonly sizeBytes: number | null;
  }[];
  /** This server once showed this slot in GPU memory. */
  readonly sawVram: boolean;
  /** Best output rate seen while all of it was in GPU memory; what a spill costs is measured against it. */
  readonly unspilledTokensPerSecond?: number | null;
  /** Whether the server honours `truncate: false`; null until seen. */
  readonly refusesOverflow: boolean | null;
  /** A person fixed the window. */
  readonly pinnedNumCtx?: number | null;
  /** A person's own ceiling: no larger window is loaded, whatever a call needs. */
  readonly maximumNumCtx?: number | null;
  /** What the auto-optimizer asks of the next load; null or absent: nothing. */
  readonly steering?: {
    /** Largest window and batch by choice, tokens; what a call needs is loaded all the same. */
    readonly maximumNumCtx?: number | null;
    readonly maximumNumBatch?: number | null;
    /** How long the model stays loaded after a call that does not say. */
    readonly keepAliveSeconds?: number | null;
  } | null;
  /** When a calibration measured this slot, and on which version of Ollama; null where the server does not tell. */
  readonly calibration?: { readonly at: string; readonly version: string | null } | null;
  readonly counts: {
    readonly calls: number;
    readonly reloads: number;
    readonly foreignReloads: number;
    readonly evictions: number;
    readonly retries: number;
    readonly cuts: number;
    readonly shifts: number;
    readonly outputTokens: Histogram;
    readonly promptTokens: Histogram;
    /** What the present spill has cost so far against the best unspilled rate, for ski rental. */
    readonly spillCostMs: number;
  };
}

/** Something learned about a template's parameter, kept while it is not worse than the baseline. */
export interface RuleRecord extends StoredRecord {
  readonly templateId: string;
  readonly parameter: string;
  readonly value: number | string | boolean;
  /** 0..1, Wilson lower bound of its success rate. */
  readonly confidence: number;
  readonly state: "trial" | "active" | "reverted";
  readonly counts: { readonly success: number; readonly total: number };
}

/** Free-form settings of the store: the HMAC key, retention, tuning, pins. */
export interface SettingRecord extends StoredRecord {
  readonly value: unknown;
}

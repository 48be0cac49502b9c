/** What is known of one slot (one loaded runner of one server) while the program runs, as plain data. */
import type { ProfileRecord, RunnerOptions } from "../records.js";

/** What `/api/ps` said of this slot. Sizes in bytes, times in ms since the epoch. */
export interface LoadedState {
  /** Window of the loaded runner; null when the model is not loaded. */
  readonly numCtx: number | null;
  readonly sizeBytes: number;
  readonly vramBytes: number;
  /** By the server's clock; null when unknown or never. */
  readonly expiresAt: number | null;
  readonly otherModelsLoaded: number;
  /** Bytes of those other models: a ceiling was met with so much loaded. */
  readonly otherBytes: number;
  readonly observedAt: number;
}

/** A reload that is on its way: until it is answered, every call of the slot sends its options. */
export interface PendingReload {
  readonly options: RunnerOptions;
  readonly since: number;
  /** Calls on their way with these options. When all of them failed, nobody knows what is loaded. */
  readonly calls: number;
}

/** The last replies that waited while another program's window made room for ours. Ended by a warm reply. */
export interface Contest {
  /** The window of ours that was loaded, tokens. */
  readonly numCtx: number;
  /** Such replies in a row. */
  readonly times: number;
  /** When the last one ended, ms since the epoch. */
  readonly since: number;
  /** It was waited for once, and nobody came: models that leave at once (OLLAMA_KEEP_ALIVE=0) look like this too. */
  readonly isVain: boolean;
}

/** The part of a profile that a program carries along, with the sums of all programs' counters it needs. */
export interface SlotKnowledge
  extends Pick<
    ProfileRecord,
    | "loadMs"
    | "warmLoadMs"
    | "recentNeeds"
    | "largestNeeds"
    | "ceilings"
    | "memory"
    | "batches"
    | "sawVram"
    | "refusesOverflow"
  > {
  readonly pinnedNumCtx: number | null;
  /** A person's own ceiling, tokens. */
  readonly maximumNumCtx: number | null;
  /** Calls answered so far, by all programs. */
  readonly calls: number;
  /** What the present spill has cost so far, for ski rental. */
  readonly spillCostMs: number;
  /** What the auto-optimizer asks of the next load; others write it. */
  readonly steering: NonNullable<ProfileRecord["steering"]>;
  /** Best output rate without a spill, tokens per second; null until seen. */
  readonly unspilledTokensPerSecond: number | null;
}

export interface SlotState {
  readonly serverId: string;
  /** Digest of the weights. */
  readonly blob: string;
  /** Trained window in tokens; null when unknown. */
  readonly trainedNumCtx: number | null;
  /** null when `/api/ps` never answered. */
  readonly loaded: LoadedState | null;
  /** Runner options that the loaded runner was started with, as far as known. */
  readonly options: RunnerOptions;
  readonly pending: PendingReload | null;
  /** null while no other program loads windows of its own. */
  readonly contest: Contest | null;
  readonly known: SlotKnowledge;
}

/** The runner that a call will meet, as far as known. */
export interface ExpectedRunner {
  /** False when neither the server nor memory tells. */
  readonly isKnown: boolean;
  /** null = not loaded. */
  readonly numCtx: number | null;
  readonly options: RunnerOptions;
}

/** What a call that goes out now will meet: a reload on its way, else what is loaded, else what was last sent. */
export function expectedRunner(slot: SlotState): ExpectedRunner {
  const { pending, loaded, options } = slot;
  if (pending) return { isKnown: true, numCtx: pending.options.num_ctx ?? null, options: pending.options };
  if (loaded === null) {
    return { isKnown: options.num_ctx !== undefined, numCtx: options.num_ctx ?? null, options };
  }
  if (loaded.numCtx === null) return { isKnown: true, numCtx: null, options: {} };
  return { isKnown: true, numCtx: loaded.numCtx, options: { ...options, num_ctx: loaded.numCtx } };
}

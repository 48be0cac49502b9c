/** What goes into a decision and what comes out. */
import type { LimitKind } from "../errors.js";
import type { CountSource, DecisionAction, RunnerOptions } from "../records.js";
import type { OutputReserve } from "./reserve.js";

export interface PromptSize {
  /** What is believed, in tokens: exact, a bound, or an estimate on the safe side. */
  readonly tokens: number;
  readonly source: CountSource;
  /** Tokens that the prompt certainly does not exceed. */
  readonly upperBound: number;
}

/** What is known of a call before it goes out. */
export interface CallFacts {
  /** null when nothing could be counted or bounded. */
  readonly prompt: PromptSize | null;
  readonly reserve: OutputReserve;
  /** The reply may have no more tokens than this, though less room may be kept for it. */
  readonly outputLimit?: number;
  /** What the user set for this call or instance, checked. Its `num_ctx` wins always and is never grown. */
  readonly explicit: RunnerOptions;
  /** The messages extend an earlier call's. */
  readonly extendsEarlierCall: boolean;
  readonly isEmbedding?: boolean;
  /** A `:cloud` model. */
  readonly remote?: boolean;
  readonly optimize: boolean;
  /** 0..1, of the matched template. @default 1 */
  readonly templateConfidence?: number;
}

/** A limit that the need passes. Tokens. */
export interface Limit {
  readonly limit: number;
  readonly kind: LimitKind;
  readonly needTokens: number;
}

/** The decision about one call: everything that is sent for it, and why. */
export interface Decided {
  readonly action: DecisionAction;
  /** ALL runner options to send. */
  readonly options: RunnerOptions;
  /** What to send as `num_predict`; undefined = leave it as the user has it. */
  readonly numPredict: number | undefined;
  /** How long the model is to stay loaded, where the call does not say. */
  readonly keepAliveSeconds?: number;
  /** What to send as `truncate`; undefined = leave it out. */
  readonly truncate: false | undefined;
  readonly promptTokens: number | null;
  readonly countSource: CountSource;
  readonly needTokens: number | null;
  readonly outputReserve: number | null;
  /** Window that was loaded, or on its way, when this was decided. */
  readonly loadedNumCtx: number | null;
  /** One sentence with numbers. */
  readonly reason: string;
  /** 0..1: how sure the count, the reserve and the template are. */
  readonly confidence: number;
  /** It joins a reload that is on its way: a long `load_duration` will be that one's. */
  readonly joinsReload?: boolean;
  /** The prompt itself does not fit: `onOverflow` says what now. */
  readonly overflow?: Limit;
  /** The prompt fits, the whole reserve does not: the reply may end in an honest `length`. */
  readonly tight?: Limit;
}

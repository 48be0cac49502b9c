/** The optimizer's tuning options: what a person may set, checked, with everything else filled in. */

/** Tuning of a chat model's `optimizer` option. Tokens unless said otherwise. */
export interface TuningOptions {
  /** Factor on learned output reserves, 1 to 4. @default 1 */
  readonly bufferMultiplier?: number;
  /** Reserve where nothing is known of a model's replies. @default 1024 */
  readonly outputReserve?: number;
  /** The same for models that think. @default 4096 */
  readonly thinkingReserve?: number;
  /** No window below this is loaded by choice. @default 4096 */
  readonly minimumWindow?: number;
  /** No window above this is loaded by choice; null = the trained window. @default null */
  readonly maximumWindow?: number | null;
  /** Fingerprint bits: 64 or 128. @default 128 */
  readonly bits?: 64 | 128;
  /** Prefix windows of fingerprints, ascending. @default [64, 128, 256, 512, 1024] */
  readonly windows?: readonly number[];
  /** Words per shingle, 3 to 5. @default 3 */
  readonly shingle?: number;
  /** Share of unrelated prompts that may match a template, between 0 and 0.1. @default 0.001 */
  readonly falseMatchRate?: number;
  /** Hamming distance allowed per window, in bits; overrides what follows from the false-match rate. */
  readonly thresholds?: Readonly<Record<number, number>>;
  /** Templates kept in memory and store. @default 10000 */
  readonly maxTemplates?: number;
  /** What is expected; sets defaults that suit it. Values set beside it win. */
  readonly expectedLoad?: {
    readonly uniqueTemplates?: number;
    readonly dailyRequests?: number;
  };
}

export interface Configuration extends Required<Omit<TuningOptions, "expectedLoad">> {}

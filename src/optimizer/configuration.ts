/** The optimizer's tuning options: what a person may set, checked, with everything else filled in. */
import { OptimizerError } from "../errors.js";
import { templateSettings } from "./templateOptions.js";

/** Tuning of a chat model, its `optimizer` option. Tokens unless said otherwise. */
export interface TuningOptions {
  /** Factor on learned output reserves, 1 to 4. @default 1 */
  readonly bufferMultiplier?: number;
  /** Reserve where nothing is known of a model's replies. @default 1024 */
  readonly outputReserve?: number;
  /** The same for models that think. @default 4096 */
  readonly thinkingReserve?: number;
  /** No window below this is loaded by choice. @default 4096 */
  readonly minimumWindow?: number;
  /** No window above this is loaded by choice; null = up to the trained window. @default null */
  readonly maximumWindow?: number | null;
  /** Fingerprint bits: 64 or 128. @default 128 */
  readonly bits?: 64 | 128;
  /** Prefix windows of fingerprints, ascending. @default [64, 128, 256, 512, 1024] */
  readonly windows?: readonly number[];
  /** Words per shingle, 3 to 5. @default 3 */
  readonly shingle?: number;
  /** Share of unrelated prompts that may match a template, above 0 and up to 0.1. @default 0.001 */
  readonly falseMatchRate?: number;
  /**
   * Hamming distance allowed per window, in bits: 0 to 24, or 0 to 12 of 64. Replaces what follows from the false-match
   * rate.
   */
  readonly thresholds?: Readonly<Record<number, number>>;
  /** Templates kept per model, 1 to 1,000,000. @default 10000 */
  readonly maxTemplates?: number;
  /** What is expected; moves the defaults of other options. What is set beside it wins. */
  readonly expectedLoad?: ExpectedLoad;
}

/** How much a program is to send: other defaults follow from it. */
export interface ExpectedLoad {
  /** More than 5,000 make room for twice as many templates. */
  readonly uniqueTemplates?: number;
  /** More than 10,000 lower the false-match rate, so that a day's false matches stay below 10. */
  readonly dailyRequests?: number;
}

/** Every option, with a value; thresholds only where they were set. */
export interface Configuration
  extends Required<Omit<TuningOptions, "expectedLoad" | "thresholds">>,
    Pick<TuningOptions, "thresholds"> {}

export const DEFAULT_CONFIGURATION: Configuration = {
  bufferMultiplier: 1,
  outputReserve: 1024,
  thinkingReserve: 4096,
  minimumWindow: 4096,
  maximumWindow: null,
  bits: 128,
  windows: [64, 128, 256, 512, 1024],
  shingle: 3,
  falseMatchRate: 0.001,
  maxTemplates: 10_000,
};

/** False matches a day that nobody would notice. */
const FALSE_MATCHES_PER_DAY = 10;
const MOST_TEMPLATES = 1_000_000;

/**
 * Checks tuning options and fills in the rest. Explicit values win over what `expectedLoad` suggests.
 *
 * @throws OptimizerError `OPTION_INVALID`, naming the option and the value found
 * @example configuration({ expectedLoad: { uniqueTemplates: 20_000 } }).maxTemplates // 40000
 */
export function configuration(options: TuningOptions = {}): Configuration {
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    throw invalid("optimizer", options, "an object of tuning options");
  }
  for (const [name, value] of Object.entries(options)) {
    const check = CHECKS[name as keyof TuningOptions];
    if (!check) throw invalid(name, value, `one of ${Object.keys(CHECKS).join(", ")}`, "no such option");
    if (value !== undefined && !check.accepts(value)) throw invalid(name, value, check.wanted);
  }
  const { expectedLoad, ...set } = options;
  const chosen = Object.fromEntries(Object.entries(set).filter(([, value]) => value !== undefined));
  const complete: Configuration = { ...DEFAULT_CONFIGURATION, ...suitedTo(expectedLoad ?? {}), ...chosen };
  const { maxTemplates: limit, ...rest } = complete;
  // What templates would refuse is refused here: later it would be the optimizer that fails, call by call.
  templateSettings({ modelDigest: "", limit, ...rest });
  if (complete.maximumWindow !== null && complete.maximumWindow < complete.minimumWindow) {
    if (options.minimumWindow !== undefined) {
      throw invalid(
        "maximumWindow",
        complete.maximumWindow,
        `minimumWindow (${complete.minimumWindow}) or more`,
      );
    }
    return { ...complete, minimumWindow: complete.maximumWindow };
  }
  return complete;
}

function suitedTo({ uniqueTemplates = 0, dailyRequests = 0 }: ExpectedLoad): Partial<Configuration> {
  const { maxTemplates, falseMatchRate } = DEFAULT_CONFIGURATION;
  return {
    maxTemplates: Math.min(MOST_TEMPLATES, Math.max(maxTemplates, 2 * uniqueTemplates)),
    falseMatchRate: Math.min(falseMatchRate, FALSE_MATCHES_PER_DAY / Math.max(1, dailyRequests)),
  };
}

interface Check {
  readonly accepts: (value: unknown) => boolean;
  readonly wanted: string;
}

const numberIn = (least: number, most: number): Check => ({
  accepts: (value) => typeof value === "number" && value >= least && value <= most,
  wanted: `a number from ${least} to ${most}`,
});
const wholeIn = (least: number, most: number): Check => ({
  accepts: (value) => Number.isInteger(value) && (value as number) >= least && (value as number) <= most,
  wanted: `a whole number from ${least} to ${most}`,
});
const MOST_TOKENS = 2 ** 24;

const CHECKS: Readonly<Record<keyof TuningOptions, Check>> = {
  bufferMultiplier: numberIn(1, 4),
  outputReserve: wholeIn(1, MOST_TOKENS),
  thinkingReserve: wholeIn(1, MOST_TOKENS),
  minimumWindow: wholeIn(256, MOST_TOKENS),
  maximumWindow: {
    accepts: (value) => value === null || wholeIn(256, MOST_TOKENS).accepts(value),
    wanted: `null or a whole number from 256 to ${MOST_TOKENS}`,
  },
  bits: { accepts: (value) => value === 64 || value === 128, wanted: "64 or 128" },
  windows: {
    accepts: (value) =>
      Array.isArray(value) &&
      value.length > 0 &&
      value.length <= 7 &&
      value.every(
        (window, index) => wholeIn(8, 8192).accepts(window) && (index === 0 || window > value[index - 1]),
      ),
    wanted: "an ascending list of 1 to 7 whole numbers from 8 to 8192",
  },
  shingle: wholeIn(3, 5),
  falseMatchRate: {
    accepts: (value) => typeof value === "number" && value > 0 && value <= 0.1,
    wanted: "a number above 0, up to 0.1",
  },
  thresholds: {
    accepts: (value) =>
      typeof value === "object" &&
      value !== null &&
      Object.values(value).every((bits) => wholeIn(0, 24).accepts(bits)),
    wanted: "an object from window to bits, each a whole number from 0 to 24 (0 to 12 with 64 bits)",
  },
  maxTemplates: wholeIn(1, MOST_TEMPLATES),
  expectedLoad: {
    accepts: (value) =>
      typeof value === "object" &&
      value !== null &&
      Object.entries(value).every(
        ([name, count]) =>
          (name === "uniqueTemplates" || name === "dailyRequests") &&
          (count === undefined || numberIn(0, 1e12).accepts(count)),
      ),
    wanted: "an object with uniqueTemplates and dailyRequests, numbers from 0",
  },
};

function invalid(
  name: string,
  value: unknown,
  wanted: string,
  found: string = describe(value),
): OptimizerError {
  return new OptimizerError({
    code: "OPTION_INVALID",
    message: `The tuning option ${name} is ${found}`,
    remedy: `Use ${wanted}.`,
  });
}

function describe(value: unknown): string {
  return typeof value === "object" && value !== null ? JSON.stringify(value).slice(0, 80) : String(value);
}

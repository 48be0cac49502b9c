/** What a template index can be told, checked. */
import { OptimizerError } from "../errors.js";
import { type FingerprintSettings, fingerprintSettings } from "./fingerprint.js";

/** Options of a {@link TemplateIndex}; all but the digest have defaults. */
export interface TemplateOptions extends Partial<FingerprintSettings> {
  /** Digest of the model whose prompts are seen. */
  readonly modelDigest: string;
  /** Templates held at most; beyond, the least recently seen go. Default 10,000. */
  readonly limit?: number;
  /** Share of prompts unlike any template that may match one all the same, 0..0.1. Default 0.001. */
  readonly falseMatchRate?: number;
  /**
   * Largest distance in bits per window, instead of what {@link falseMatchRate} gives, e.g.
   * {@link FIXED_THRESHOLDS}. At most 12 bits of 64.
   */
  readonly thresholds?: Readonly<Record<number, number>>;
  /** Consistent matches on a larger window before it becomes the working one, 20..50. Default 20. */
  readonly growAfter?: number;
  /** Days after which a template seen only once is cleaned up. Default 14. */
  readonly forgetOnceSeenAfterDays?: number;
}

/** Bits by window, for fingerprints of 64 bits: a strict choice that finds prompts with hardly a slot in them. */
export const FIXED_THRESHOLDS: Readonly<Record<number, number>> = { 64: 3, 128: 4, 256: 5, 512: 6, 1024: 6 };

/** {@link TemplateOptions} with nothing missing. */
export type TemplateSettings = Required<Omit<TemplateOptions, "thresholds">> &
  Pick<TemplateOptions, "thresholds">;

function check(valid: boolean, name: string, value: unknown, remedy: string): void {
  if (valid) return;
  throw new OptimizerError({ code: "OPTION_INVALID", message: `${name} is ${String(value)}`, remedy });
}

/**
 * Completes and checks options.
 *
 * @throws OptimizerError `OPTION_INVALID`
 * @example templateSettings({ modelDigest: "sha256:..." }).limit // 10000
 */
export function templateSettings(options: TemplateOptions): TemplateSettings {
  const settings = {
    limit: 10_000,
    falseMatchRate: 0.001,
    growAfter: 20,
    forgetOnceSeenAfterDays: 14,
    ...options,
    ...fingerprintSettings({
      ...(options.bits !== undefined && { bits: options.bits }),
      ...(options.shingle !== undefined && { shingle: options.shingle }),
      ...(options.windows !== undefined && { windows: options.windows }),
    }),
  };
  const { limit, falseMatchRate, growAfter, forgetOnceSeenAfterDays, thresholds, bits } = settings;
  check(
    Number.isInteger(limit) && limit >= 1 && limit <= 1_000_000,
    "limit",
    limit,
    "Give a whole number of templates from 1 to 1,000,000.",
  );
  check(
    falseMatchRate > 0 && falseMatchRate <= 0.1,
    "falseMatchRate",
    falseMatchRate,
    "Give a share above 0 and up to 0.1.",
  );
  check(
    Number.isInteger(growAfter) && growAfter >= 20 && growAfter <= 50,
    "growAfter",
    growAfter,
    "Give a whole number from 20 to 50.",
  );
  check(
    forgetOnceSeenAfterDays > 0,
    "forgetOnceSeenAfterDays",
    forgetOnceSeenAfterDays,
    "Give a number of days above 0.",
  );
  for (const window of thresholds === undefined ? [] : settings.windows) {
    const distance = thresholds?.[window];
    check(
      distance !== undefined && Number.isInteger(distance) && distance >= 0 && distance <= (bits * 12) / 64,
      `thresholds[${window}]`,
      distance,
      `Give each window a whole number of bits from 0 to ${(bits * 12) / 64}.`,
    );
  }
  return settings;
}

/**
 * Options for an expected load: room for twice the templates, at most one false match a day, and a working
 * window that is not moved by one day's mood where calls are many.
 *
 * @example optionsForLoad({ uniqueTemplates: 200, dailyRequests: 50_000 })
 * // { limit: 1000, falseMatchRate: 0.00002, growAfter: 50 }
 */
export function optionsForLoad(expected: {
  readonly uniqueTemplates: number;
  readonly dailyRequests: number;
}): Required<Pick<TemplateOptions, "limit" | "falseMatchRate" | "growAfter">> {
  for (const [name, value] of Object.entries(expected)) {
    check(Number.isFinite(value) && value > 0, name, value, "Give a number above 0.");
  }
  return {
    limit: Math.min(1_000_000, Math.max(1_000, Math.ceil(2 * expected.uniqueTemplates))),
    falseMatchRate: Math.min(0.001, 1 / expected.dailyRequests),
    growAfter: Math.round(Math.min(50, Math.max(20, expected.dailyRequests / 100))),
  };
}

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
   * Largest distance in bits by window, instead of what {@link falseMatchRate} gives there, e.g.
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
  const { modelDigest, thresholds } = options;
  const settings: TemplateSettings = {
    modelDigest,
    thresholds,
    limit: options.limit ?? 10_000,
    falseMatchRate: options.falseMatchRate ?? 0.001,
    growAfter: options.growAfter ?? 20,
    forgetOnceSeenAfterDays: options.forgetOnceSeenAfterDays ?? 14,
    ...fingerprintSettings(options),
  };
  const { limit, falseMatchRate, growAfter, forgetOnceSeenAfterDays, bits } = settings;
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
  const most = (bits * 12) / 64;
  for (const [window, distance] of Object.entries(thresholds ?? {})) {
    check(
      Number.isInteger(distance) && distance >= 0 && distance <= most,
      `thresholds[${window}]`,
      distance,
      `Give a whole number of bits from 0 to ${most}.`,
    );
    check(
      settings.windows.includes(Number(window)),
      `thresholds[${window}]`,
      distance,
      `Name one of the windows ${settings.windows.join(", ")}.`,
    );
  }
  return settings;
}

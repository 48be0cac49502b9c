/** The check of what a store is opened with: a poll of NaN milliseconds would run a thousand times a second. */
import { OptimizerError } from "../errors.js";

/** Timers take no more: a longer one would fire at once. Milliseconds. */
const LONGEST_MS = 2 ** 31 - 1;
/** A hundred years. */
const MOST_DAYS = 36_500;

type Bounds = readonly [least: number, most: number];

const BOUNDS: Readonly<Record<string, Bounds>> = {
  pollMs: [1, LONGEST_MS],
  foldMs: [0, LONGEST_MS],
  retainMs: [0, LONGEST_MS],
  settleMs: [0, LONGEST_MS],
  compactBytes: [0, Number.MAX_SAFE_INTEGER],
  segmentBytes: [1, Number.MAX_SAFE_INTEGER],
  gatherMs: [0, LONGEST_MS],
  maxQueuedBytes: [0, Number.MAX_SAFE_INTEGER],
  maxRequests: [0, Number.MAX_SAFE_INTEGER],
  retentionDays: [0, MOST_DAYS],
  retentionRecords: [0, Number.MAX_SAFE_INTEGER],
};

const RETENTION: Readonly<Record<string, Bounds>> = {
  days: [0, MOST_DAYS],
  records: [0, Number.MAX_SAFE_INTEGER],
  bytes: [0, Number.MAX_SAFE_INTEGER],
};

/**
 * Looks at the numbers among a store's options; undefined is the default.
 *
 * @throws OptimizerError `OPTION_INVALID`
 * @example checkStoreOptions({ pollMs: 500, retention: { days: 30 } }) // undefined
 */
export function checkStoreOptions(options: object): void {
  check("options", "", options, BOUNDS);
  const { retention } = options as { readonly retention?: unknown };
  if (retention !== undefined) check("retention", "retention.", retention, RETENTION);
}

function check(name: string, prefix: string, value: unknown, bounds: Readonly<Record<string, Bounds>>): void {
  if (typeof value !== "object" || value === null) {
    throw invalid(name, value, "Give an object, or leave it out.");
  }
  for (const [field, [least, most]] of Object.entries(bounds)) {
    const number = (value as Record<string, unknown>)[field];
    if (number === undefined) continue;
    if (typeof number === "number" && number >= least && number <= most) continue;
    throw invalid(`${prefix}${field}`, number, `Give a number from ${least} to ${most}, or leave it out.`);
  }
}

/** @throws OptimizerError `OPTION_INVALID` where it is no path */
export function checkFolder(folder: unknown): asserts folder is string {
  if (typeof folder === "string" && folder !== "") return;
  throw invalid("The store's folder", folder, "Give a path.");
}

function invalid(name: string, value: unknown, remedy: string): OptimizerError {
  const found =
    typeof value === "string"
      ? JSON.stringify(value.slice(0, 40))
      : typeof value === "object" && value !== null
        ? "an object"
        : String(value);
  return new OptimizerError({ code: "OPTION_INVALID", message: `${name} is ${found}`, remedy });
}

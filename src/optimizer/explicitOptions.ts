/** Runner options as a person set them, checked: Ollama takes `num_ctx: 0` as 4 and answers with 200. */
import { OptimizerError } from "../errors.js";
import type { RunnerOptions } from "../records.js";

interface Rule {
  readonly accepts: (value: unknown) => boolean;
  readonly wanted: string;
}

const wholeFrom = (least: number): Rule => ({
  accepts: (value) => Number.isSafeInteger(value) && (value as number) >= least,
  wanted: `a whole number, ${least} or more`,
});

const RULES: Readonly<Record<keyof RunnerOptions, Rule>> = {
  num_ctx: wholeFrom(1),
  num_batch: wholeFrom(1),
  // -1 lets Ollama choose; 0 keeps the model on the CPU.
  num_gpu: wholeFrom(-1),
  main_gpu: wholeFrom(0),
  use_mmap: { accepts: (value) => typeof value === "boolean", wanted: "true or false" },
  // 0 lets Ollama choose.
  num_thread: wholeFrom(0),
};

/**
 * The runner options among options of a request; undefined counts as not set.
 *
 * @throws OptimizerError `OPTION_INVALID` for null, 0, negative, fractional, NaN and text
 * @example explicitOptions({ num_ctx: 8192, temperature: 0 }) // { num_ctx: 8192 }
 */
export function explicitOptions(options: Readonly<Record<string, unknown>>): RunnerOptions {
  const explicit: Record<string, unknown> = {};
  for (const [name, rule] of Object.entries(RULES)) {
    const value = options[name];
    if (value === undefined) continue;
    if (!rule.accepts(value)) throw invalid(name, value, rule.wanted);
    explicit[name] = value;
  }
  return explicit as RunnerOptions;
}

function invalid(name: string, value: unknown, wanted: string): OptimizerError {
  const found = typeof value === "string" ? `text of ${value.length} characters` : String(value);
  return new OptimizerError({
    code: "OPTION_INVALID",
    message: `${name} is ${found}`,
    remedy: `Set it to ${wanted}, or leave it out to have it decided.`,
  });
}

const NAMES = Object.keys(RULES) as readonly (keyof RunnerOptions)[];

/** Whether two sets of options load the same runner (compared field by field, as Ollama does). */
export function sameOptions(a: RunnerOptions, b: RunnerOptions): boolean {
  return NAMES.every((name) => a[name] === b[name]);
}

/**
 * Whether what a person set differs from the loaded runner's options, the window left aside. A negative
 * `num_gpu` fits every runner (Ollama `server/sched.go`, needsReload).
 */
export function conflicts(explicit: RunnerOptions, runner: RunnerOptions): boolean {
  return NAMES.some((name) => {
    const value = explicit[name];
    if (name === "num_ctx" || value === undefined || value === runner[name]) return false;
    return !(name === "num_gpu" && (value as number) < 0);
  });
}

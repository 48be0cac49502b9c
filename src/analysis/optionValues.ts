/** Options of the analysis, checked where they come in. */
import { OptimizerError } from "../errors.js";

/**
 * @returns the value
 * @throws OptimizerError `OPTION_INVALID` when it is no finite number from `least` up
 */
export function within(name: string, value: number, least: number): number {
  if (typeof value === "number" && Number.isFinite(value) && value >= least) return value;
  throw invalid(name, value, `a number, ${least} or more`);
}

/** The same for whole numbers. */
export function whole(name: string, value: number, least: number): number {
  if (Number.isSafeInteger(value) && value >= least) return value;
  throw invalid(name, value, `a whole number, ${least} or more`);
}

export function invalid(name: string, value: unknown, wanted: string): OptimizerError {
  return new OptimizerError({
    code: "OPTION_INVALID",
    message: `${name} is ${typeof value === "string" ? JSON.stringify(value) : String(value)}`,
    remedy: `Set it to ${wanted}.`,
  });
}

/** A logger as pino, console and winston fit it. The library itself prints nothing. */
export interface Logger {
  /** Something went wrong that the program survives. */
  warn(message: string): void;
  /** What does not matter to most: facts that could not be had, what repeats a warning. */
  debug?(message: string): void;
}

/** Says nothing. */
export const silentLogger: Logger = { warn: () => {} };

/** Warns where no caller would hear that the logger itself fails: that leaves nobody to tell. */
export function warnSafely(logger: Pick<Logger, "warn">, message: string): void {
  try {
    logger.warn(message);
  } catch {
    // Nor is there anybody here.
  }
}

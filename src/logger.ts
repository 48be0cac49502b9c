/** A logger as pino, console and winston fit it. The library itself prints nothing. */
export interface Logger {
  /** Something went wrong that the program survives. */
  warn(message: string): void;
  /** What does not matter to most: facts that could not be had, what repeats a warning. */
  debug?(message: string): void;
}

/** Says nothing. */
export const silentLogger: Logger = { warn: () => {} };

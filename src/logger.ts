/** A logger as pino, console and winston fit it. The library itself prints nothing. */
export interface Logger {
  warn(message: string): void;
  debug?(message: string): void;
}

/** Says nothing. */
export const silentLogger: Logger = { warn: () => {} };

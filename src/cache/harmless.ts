/** Work whose failure costs nothing but the work: one warning, then a pause. */
import { OptimizerError } from "../errors.js";
import { type Logger, silentLogger } from "../logger.js";

/** A place that does not answer holds a call up for at most so long, in milliseconds. */
const PATIENCE_MS = 1_000;
/** A place that fails again and again is heard of once in so long, in milliseconds. */
const WARN_AGAIN_MS = 600_000;
/** After a failure nothing is tried for so long, in milliseconds. */
const PAUSE_MS = 5_000;

/**
 * Runs work on a place that may be away. While it is, everything gets its fallback; what is tried again after
 * the pause and works ends the trouble.
 */
export class Harmless {
  failures = 0;
  #warnedAt = Number.NEGATIVE_INFINITY;
  #pausedUntil = Number.NEGATIVE_INFINITY;

  /** @param what names the place in the warning */
  constructor(
    private readonly what: string,
    private readonly logger: Logger = silentLogger,
    private readonly now: () => number = Date.now,
  ) {}

  get isPaused(): boolean {
    return this.now() < this.#pausedUntil;
  }

  /** The work's result, or the fallback. */
  async run<T, F>(work: () => T | Promise<T>, fallback: F, patienceMs: number = PATIENCE_MS): Promise<T | F> {
    if (this.isPaused) return fallback;
    try {
      const result = work();
      // What is there at once is not waited for.
      return result instanceof Promise ? await inTime(result, patienceMs) : result;
    } catch (error) {
      this.#note(error);
      return fallback;
    }
  }

  #note(error: unknown): void {
    this.failures++;
    this.#pausedUntil = this.now() + PAUSE_MS;
    if (this.now() - this.#warnedAt < WARN_AGAIN_MS) return;
    this.#warnedAt = this.now();
    this.logger.warn(`${this.what} is not used for now: ${reasonOf(error)}`);
  }
}

async function inTime<T>(work: Promise<T>, patienceMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer in ${patienceMs} ms`)), patienceMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Texts of clients may quote what was stored: of an error that is not our own, only the first line's beginning. */
function reasonOf(error: unknown): string {
  if (OptimizerError.isInstance(error)) return error.message;
  const code = (error as { code?: unknown } | null)?.code;
  if (typeof code === "string" && code !== "") return code;
  return error instanceof Error ? (error.message.split("\n", 1)[0] ?? "").slice(0, 120) : "unknown";
}

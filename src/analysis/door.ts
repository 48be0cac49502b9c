/** Lets in only what can be reckoned with: one damaged line must not spoil the figures of all others. */
import type { RequestRecord } from "../records.js";
import type { Refused } from "./types.js";

/** Clocks of machines that share a store differ, and calls end while the log is read. */
const CLOCK_SKEW_MS = 60_000;

const MEASURES = [
  "totalMs",
  "loadMs",
  "promptMs",
  "outputMs",
  "timeToFirstTokenMs",
  "inputTokens",
  "promptTokens",
  "outputTokens",
  "cachedTokens",
  "modelBytes",
  "modelVramBytes",
] as const satisfies readonly (keyof RequestRecord)[];
const HOST_MEASURES = ["cpuPercent", "memoryUsedBytes", "memoryTotalBytes"] as const;

/** Checks records and counts those that it refused. */
export class Door {
  private readonly reasons = new Map<string, number>();

  /**
   * Start of the call in ms since the epoch, or null when the record is refused: its time is no time or later than
   * `now` (by more than a minute), or one of its numbers is NaN, infinite or negative.
   *
   * @param now ms since the epoch
   */
  admit(record: RequestRecord, now: number): number | null {
    const at = Date.parse(record.at);
    const reason = Number.isNaN(at)
      ? "at is no time"
      : at > now + CLOCK_SKEW_MS
        ? "at is in the future"
        : (faultOf(record, MEASURES) ?? (record.host ? faultOf(record.host, HOST_MEASURES) : null));
    if (reason === null) return at;
    this.reasons.set(reason, (this.reasons.get(reason) ?? 0) + 1);
    return null;
  }

  get refused(): Refused {
    const reasons = Object.fromEntries(this.reasons);
    return { records: Object.values(reasons).reduce((sum, count) => sum + count, 0), reasons };
  }
}

function faultOf<T extends object, K extends keyof T & string>(
  values: T,
  names: readonly K[],
): string | null {
  for (const name of names) {
    const value: unknown = values[name];
    // A record of an older version may lack a field.
    if (value === null || value === undefined) continue;
    if (typeof value !== "number" || !Number.isFinite(value)) return `${name} is no number`;
    if (value < 0) return `${name} is negative`;
  }
  return null;
}

/** Lets in only what can be reckoned with: one damaged line must not spoil the figures of all others. */
import type { RequestRecord } from "../records.js";
import { type Call, type Slot, SlotLoads } from "./call.js";
import { entryOf } from "./entryOf.js";
import { TimeParser } from "./timeParser.js";
import type { Group, Refused } from "./types.js";

/** Clocks of machines that share a store differ, and calls end while the log is read. */
const CLOCK_SKEW_MS = 60_000;
/** No call is so long: a log that goes back further was imported behind a newer one. */
const IMPORTED_MS = 86_400_000;

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

interface Server {
  readonly groups: Map<string, Map<string | null, Group>>;
  readonly slots: Map<string, { readonly slot: Slot; readonly loads: SlotLoads }>;
}

/** Checks records, sorts them into groups, and counts those that it refused. */
export class Door {
  private readonly reasons = new Map<string, number>();
  private readonly servers = new Map<string, Server>();
  private readonly times = new TimeParser();
  private newestAt = 0;

  /**
   * The record as a call, or null when it is refused: its time is no time, before 1970 or later than `now` (by more than a minute),
   * or one of its numbers is NaN, infinite or negative.
   *
   * @param now ms since the epoch
   */
  admit(record: RequestRecord, now: number): Call | null {
    const at = this.times.parse(record.at);
    const reason = Number.isNaN(at)
      ? "at is no time"
      : at < 0
        ? "at is before 1970"
        : at > now + CLOCK_SKEW_MS
          ? "at is in the future"
          : isSound(record)
            ? null
            : (faultOf(record, MEASURES) ?? (record.host ? faultOf(record.host, HOST_MEASURES) : null));
    if (reason === null) return this.place(record, at);
    this.reasons.set(reason, (this.reasons.get(reason) ?? 0) + 1);
    return null;
  }

  /** Of these records the calls that were let in. */
  *admitted(records: Iterable<RequestRecord>, now: number): Generator<Call> {
    for (const record of records) {
      const call = this.admit(record, now);
      if (call !== null) yield call;
    }
  }

  private place(record: RequestRecord, at: number): Call {
    const { serverId, model, templateId, decision } = record;
    const goesBack = at < this.newestAt - IMPORTED_MS;
    if (goesBack) for (const { slots } of this.servers.values()) slots.clear();
    this.newestAt = goesBack ? at : Math.max(at, this.newestAt);
    const server = entryOf(this.servers, serverId, newServer);
    const byTemplate = entryOf(server.groups, model, newMap<string | null, Group>);
    let group = byTemplate.get(templateId);
    if (group === undefined) {
      group = { serverId, model, templateId };
      byTemplate.set(templateId, group);
    }
    const blob = decision?.slot || model;
    let known = server.slots.get(blob);
    if (known === undefined) {
      known = { slot: { serverId, model }, loads: new SlotLoads() };
      server.slots.set(blob, known);
    }
    return { record, at, group, slot: known.slot, isLoad: known.loads.take(record, at), goesBack };
  }

  get refused(): Refused {
    const reasons = Object.fromEntries(this.reasons);
    return { records: Object.values(reasons).reduce((sum, count) => sum + count, 0), reasons };
  }
}

/** The quick way: almost every record is. */
function isSound(record: RequestRecord): boolean {
  const { host } = record;
  return (
    isMeasure(record.totalMs) &&
    isMeasure(record.loadMs) &&
    isMeasure(record.promptMs) &&
    isMeasure(record.outputMs) &&
    isMeasure(record.timeToFirstTokenMs) &&
    isMeasure(record.inputTokens) &&
    isMeasure(record.promptTokens) &&
    isMeasure(record.outputTokens) &&
    isMeasure(record.cachedTokens) &&
    isMeasure(record.modelBytes) &&
    isMeasure(record.modelVramBytes) &&
    (host === undefined ||
      (isMeasure(host.cpuPercent) && isMeasure(host.memoryUsedBytes) && isMeasure(host.memoryTotalBytes)))
  );
}

function isMeasure(value: number | null): boolean {
  return value === null || (typeof value === "number" && value >= 0 && value < Number.POSITIVE_INFINITY);
}

function newServer(): Server {
  return { groups: new Map(), slots: new Map() };
}

function newMap<K, V>(): Map<K, V> {
  return new Map();
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

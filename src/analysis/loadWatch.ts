/** Watches the loads of one runner: too many of them, and slower ones. */
import type { Call } from "./call.js";
import { rankSum, rankSumP } from "./rankSum.js";
import type { Anomaly, Group } from "./types.js";
import { CAUSE_WORDS, duration, moment } from "./words.js";

/** Loads among so many calls are counted. */
const CALLS = 20;
/** From here on it is a storm: at one load in 50 calls, which is far from good, chance makes 5 of 20 once in 25,000. */
const STORM = 5;
const TOLERATED_SHARE = 0.02;
const STORM_SCORE = 4.4;
/** It is over when no more than this is left. */
const CALM = 1;
/** After a longer pause Ollama (`keep_alive`, 5 minutes) has unloaded the model: that load is nobody's fault. */
const PAUSE_MS = 240_000;
/** The last loads are compared with at least so many before. */
const LAST_LOADS = 5;
const LEAST_EARLIER = 8;
const MOST_EARLIER = 64;
const SLOWER = 1.8;
const SURE = 0.005;

const NOTHING: readonly Anomaly[] = [];

export class LoadWatch {
  private readonly recent: Call[] = [];
  private readonly isNeedless: boolean[] = [];
  private loadMs: { readonly at: string; readonly ms: number }[] = [];
  private lastEnd: number | null = null;
  private isStorm = false;
  private toldAt = 0;
  private needless = 0;
  private calls = 0;

  /** @param againMs a storm that goes on is told again after so long */
  constructor(
    private readonly group: Group,
    private readonly againMs: number,
  ) {}

  take(call: Call): readonly Anomaly[] {
    const { record, at, isLoad: loaded } = call;
    const isNeedless = loaded && this.lastEnd !== null && at - this.lastEnd < PAUSE_MS;
    this.lastEnd = Math.max(this.lastEnd ?? 0, at + (record.totalMs ?? 0));
    const place = this.calls++ % CALLS;
    if (this.isNeedless[place]) this.needless--;
    if (isNeedless) this.needless++;
    this.recent[place] = call;
    this.isNeedless[place] = isNeedless;
    if (this.needless <= CALM) this.isStorm = false;
    if (!loaded) return NOTHING;
    const storm = this.storm(call);
    const slow = record.loadMs ? this.slower(call, record.loadMs) : null;
    return [storm, slow].filter((each) => each !== null);
  }

  private storm(last: Call): Anomaly | null {
    if (this.needless < STORM || (this.isStorm && last.at - this.toldAt < this.againMs)) return null;
    this.isStorm = true;
    this.toldAt = last.at;
    const needless = this.recent.filter((_, index) => this.isNeedless[index]).sort((a, b) => a.at - b.at);
    const first = needless[0]!.record;
    const expected = TOLERATED_SHARE * this.recent.length;
    return {
      key: JSON.stringify(["reloadStorm", this.group.serverId, this.group.model]),
      kind: "reloadStorm",
      metric: "loads",
      group: this.group,
      at: first.at,
      noticedAt: last.record.at,
      requestId: last.record.id,
      expected,
      found: needless.length,
      ratio: needless.length / expected,
      direction: "worse",
      score: STORM_SCORE,
      cause: "reload",
      text: `Reload storm: ${this.group.model} was loaded ${needless.length} times in ${this.recent.length} calls since ${moment(first.at)}; ${this.reason()}.`,
    };
  }

  private reason(): string {
    const records = this.recent.map((call) => call.record);
    const windows = [...new Set(records.map((record) => record.numCtx).filter((window) => window !== null))];
    if (windows.length > 1) return `calls ask for different windows (${windows.slice(0, 4).join(", ")})`;
    const batches = new Set(records.map((record) => record.numBatch));
    if (batches.size > 1) return "calls ask for different batch sizes";
    return "calls of this program agree on the window, so another program asks for other options or another model takes its place";
  }

  private slower(call: Call, ms: number): Anomaly | null {
    this.loadMs.push({ at: call.record.at, ms });
    if (this.loadMs.length > MOST_EARLIER + LAST_LOADS) this.loadMs.shift();
    const last = this.loadMs.slice(-LAST_LOADS);
    const earlier = this.loadMs.slice(0, -LAST_LOADS);
    if (earlier.length < LEAST_EARLIER) return null;
    const [before, after] = [sorted(earlier), sorted(last)];
    const [expected, found] = [middle(before), middle(after)];
    if (found < SLOWER * expected) return null;
    const p = rankSumP(rankSum(before, after));
    if (p > SURE) return null;
    // What comes next is compared with the new level.
    this.loadMs = last;
    return {
      key: JSON.stringify(["slowLoads", this.group.serverId, this.group.model]),
      kind: "slowLoads",
      metric: "loadMs",
      group: this.group,
      at: last[0]!.at,
      noticedAt: call.record.at,
      requestId: call.record.id,
      expected,
      found,
      ratio: found / expected,
      direction: "worse",
      score: -Math.log10(p),
      cause: "slowDisk",
      text: `Loading ${this.group.model} takes ${duration(found)} where it took ${duration(expected)}, since ${moment(last[0]!.at)}: ${CAUSE_WORDS.slowDisk}.`,
    };
  }
}

function sorted(loads: readonly { readonly ms: number }[]): Float64Array {
  return Float64Array.from(loads, ({ ms }) => ms).sort();
}

function middle(values: Float64Array): number {
  return (values[(values.length - 1) >> 1]! + values[values.length >> 1]!) / 2;
}

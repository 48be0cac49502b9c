/** Watches the calls of one group: response times as they are, and by token where those are known. */

import type { RequestRecord } from "../records.js";
import { type Call, freshTokens } from "./call.js";
import { causeOf, type Profile, profileOf, profileOfRecord } from "./causes.js";
import { type LevelChange, LevelWatch, type Spike, type Verdict, type Watch } from "./levelWatch.js";
import { notEnough } from "./notEnough.js";
import { ThreeSigma } from "./threeSigma.js";
import type { Anomaly, AnomalyMetric, Cause, Group, Measured } from "./types.js";
import { CAUSE_WORDS, duration, groupName, moment } from "./words.js";

/** What is usual in each part of the time is worked out from so many calls, and again after so many. */
const PROFILE_RECORDS = 64;
const PROFILE_AGE = 512;
/** Evaluating a prompt token costs so much of an output token, where nothing was measured. */
const PROMPT_WEIGHT = 0.05;

type Metric = Extract<AnomalyMetric, "responseMs" | "msPerToken">;
const METRIC_WORDS: Readonly<Record<Metric, string>> = {
  responseMs: "response time",
  msPerToken: "time per token",
};

const NOTHING: readonly Anomaly[] = [];

export interface GroupSettings {
  readonly window: number;
  readonly minimum: number;
  readonly method: "robust" | "threeSigma";
}

/** One series of a group: what watches it, and its last records with their values, oldest first. */
class Series {
  records: RequestRecord[] = [];
  values: number[] = [];

  constructor(
    readonly metric: Metric,
    readonly watch: Watch,
    private readonly window: number,
  ) {}

  push(record: RequestRecord, value: number): Verdict | null {
    if (this.records.length === 2 * this.window) {
      this.records = this.records.slice(-this.window);
      this.values = this.values.slice(-this.window);
    }
    this.records.push(record);
    this.values.push(value);
    return this.watch.push(value);
  }

  /** Begins anew with the records from this place on. */
  restart(from: number): void {
    const [records, values] = [this.records.slice(from), this.values.slice(from)];
    this.watch.clear();
    this.records = [];
    this.values = [];
    for (const [index, record] of records.entries()) this.push(record, values[index]!);
  }
}

export class GroupWatch {
  private readonly responses: Series;
  private readonly perToken: Series;
  private usual: Profile | null = null;
  private usualAge = 0;
  private promptWeight: number | null = null;
  private readonly place: string;
  private readonly name: string;
  calls = 0;

  constructor(
    readonly group: Group,
    private readonly settings: GroupSettings,
  ) {
    const { window, minimum, method } = settings;
    const watch = (): Watch =>
      method === "robust" ? new LevelWatch(window, minimum) : new ThreeSigma(window, minimum);
    this.place = JSON.stringify([group.serverId, group.model, group.templateId]);
    this.name = groupName(group);
    const kept = Math.max(window, minimum);
    this.responses = new Series("responseMs", watch(), kept);
    this.perToken = new Series("msPerToken", watch(), kept);
  }

  /** Whether this group has been seen often enough to be judged. */
  get judged(): Measured<object> {
    const { minimum } = this.settings;
    const { missing } = this.responses.watch;
    return missing === 0 ? { enough: true } : notEnough(minimum - missing, minimum);
  }

  /** Takes in the next call, in order of time. A failed call has no duration of its own. */
  take({ record }: Call): readonly Anomaly[] {
    this.calls++;
    this.usualAge++;
    if (record.error !== null || record.totalMs === null || record.totalMs <= 0) return NOTHING;
    const verdict = this.responses.push(record, record.totalMs);
    const tokenVerdict = this.takePerToken(record);
    if (verdict === null && tokenVerdict === null) return NOTHING;
    return this.anomaliesOf(verdict, tokenVerdict);
  }

  private anomaliesOf(verdict: Verdict | null, tokenVerdict: Verdict | null): Anomaly[] {
    const found: Anomaly[] = [];
    const seen = new Set<RequestRecord>();
    for (const [series, each] of [
      [this.responses, verdict],
      [this.perToken, tokenVerdict],
    ] as const) {
      for (const spike of each?.spikes ?? []) {
        const record = series.records.at(-1 - spike.back)!;
        // A call that is slow both as it is and by token is one finding.
        if (seen.has(record)) continue;
        seen.add(record);
        found.push(this.spike(series, record, spike));
      }
    }
    const changed = verdict?.change ? this.responses : this.perToken;
    const change = verdict?.change ?? tokenVerdict?.change;
    if (change) found.push(this.change(changed, change));
    return found;
  }

  /** Working time by token. What a prompt token weighs is settled once, or slower prompts would hide themselves. */
  private takePerToken(record: RequestRecord): Verdict | null {
    if (this.promptWeight !== null) return this.pushPerToken(record, this.promptWeight);
    const { records } = this.responses;
    if (records.length < this.settings.minimum) return null;
    const weight = promptWeight(records);
    this.promptWeight = weight;
    return records.map((each) => this.pushPerToken(each, weight)).at(-1) ?? null;
  }

  private pushPerToken(record: RequestRecord, weight: number): Verdict | null {
    const { totalMs, loadMs, outputTokens } = record;
    const fresh = freshTokens(record);
    if (outputTokens === null || fresh === null) return null;
    const tokens = outputTokens + weight * fresh;
    const ms = totalMs! - (loadMs ?? 0);
    return tokens > 0 && ms > 0 ? this.perToken.push(record, ms / tokens) : null;
  }

  private spike(series: Series, record: RequestRecord, { back, z, expected }: Spike): Anomaly {
    const found = series.values.at(-1 - back)!;
    if (this.usual === null || this.usualAge >= PROFILE_AGE) {
      this.usual = profileOf(this.responses.records.slice(-PROFILE_RECORDS));
      this.usualAge = 0;
    }
    const cause = causeOf(this.usual, profileOfRecord(record));
    const took = series.metric === "responseMs" ? "took" : "took, by token,";
    return {
      key: `spike ${cause} ${this.place}`,
      kind: "spike",
      metric: series.metric,
      group: this.group,
      at: record.at,
      noticedAt: record.at,
      requestId: record.id,
      expected,
      found,
      ratio: found / expected,
      direction: "worse",
      score: z,
      cause,
      text: `A call of ${this.name} ${took} ${duration(found)} where ${duration(expected)} is usual${because(cause)}.`,
    };
  }

  private change(series: Series, { run, side, score }: LevelChange): Anomaly {
    const { window, minimum } = this.settings;
    const last = series.records.at(-1)!;
    // A slow drift may have begun before what is kept: enough of it stays to tell what was usual.
    const after = Math.max(1, Math.min(run, series.records.length - minimum));
    const first = series.records.at(-after)!;
    const expected = median(series.values.slice(-after - window, -after));
    const found = median(series.values.slice(-after));
    const { records } = this.responses;
    const began = Math.max(0, records.indexOf(first));
    const before = profileOf(records.slice(Math.max(0, began - window), began));
    const cause = side > 0 ? causeOf(before, profileOf(records.slice(began))) : null;
    // What comes next is compared with the new level.
    this.responses.restart(began);
    const isAfter = new Set(records.slice(began));
    const beganPerToken = this.perToken.records.findIndex((record) => isAfter.has(record));
    this.perToken.restart(beganPerToken < 0 ? this.perToken.records.length : beganPerToken);
    this.usual = null;
    const direction = side > 0 ? "worse" : "better";
    return {
      key: `change ${direction} ${cause} ${this.place}`,
      kind: "change",
      metric: series.metric,
      group: this.group,
      at: first.at,
      noticedAt: last.at,
      requestId: last.id,
      expected,
      found,
      ratio: found / expected,
      direction,
      score,
      cause,
      text: `The ${METRIC_WORDS[series.metric]} of ${this.name} went from ${duration(expected)} to ${duration(found)} at ${moment(first.at)}${because(cause)}.`,
    };
  }
}

function because(cause: Cause | null): string {
  return cause === null ? "" : `: ${CAUSE_WORDS[cause]}`;
}

/** What a prompt token costs against one of output, by the time both took. */
function promptWeight(records: readonly RequestRecord[]): number {
  let [promptMs, fresh, outputMs, output] = [0, 0, 0, 0];
  for (const record of records) {
    if (record.promptMs === null || record.outputMs === null) continue;
    promptMs += record.promptMs;
    fresh += freshTokens(record) ?? 0;
    outputMs += record.outputMs;
    output += record.outputTokens ?? 0;
  }
  const weight = promptMs / fresh / (outputMs / output);
  return Number.isFinite(weight) && weight > 0 ? Math.min(weight, 1) : PROMPT_WEIGHT;
}

function median(values: readonly number[]): number {
  const sorted = Float64Array.from(values).sort();
  return (sorted[(sorted.length - 1) >> 1]! + sorted[sorted.length >> 1]!) / 2;
}

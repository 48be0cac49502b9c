/** Watches the calls of one group: response times as they are, and by token where those are known. */
import { type Call, freshTokens } from "./call.js";
import { causeOf, type Profile, profileOf, profileOfCall } from "./causes.js";
import { type LevelChange, LevelWatch, type Spike, type Verdict, type Watch } from "./levelWatch.js";
import { notEnough } from "./notEnough.js";
import { ThreeSigma } from "./threeSigma.js";
import type { Anomaly, AnomalyMetric, Cause, Group, Measured } from "./types.js";
import { CAUSE_WORDS, duration, groupName } from "./words.js";

/** What is usual in each part of the time is worked out from so many calls, and again after so many. */
const PROFILE_CALLS = 64;
const PROFILE_AGE = 128;
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

/** One series of a group: what watches it, and its last calls with their values, oldest first. */
class Series {
  calls: Call[] = [];
  values: number[] = [];

  constructor(
    readonly metric: Metric,
    readonly watch: Watch,
    private readonly window: number,
  ) {}

  push(call: Call, value: number): Verdict | null {
    if (this.calls.length === 2 * this.window) {
      this.calls = this.calls.slice(-this.window);
      this.values = this.values.slice(-this.window);
    }
    this.calls.push(call);
    this.values.push(value);
    return this.watch.push(value);
  }

  /** Begins anew with the last `run` calls. */
  restart(run: number): void {
    const [calls, values] = [this.calls.slice(-run), this.values.slice(-run)];
    this.watch.clear();
    this.calls = [];
    this.values = [];
    for (const [index, call] of calls.entries()) this.push(call, values[index]!);
  }
}

export class GroupWatch {
  private readonly responses: Series;
  private readonly perToken: Series;
  private usual: Profile | null = null;
  private usualAge = 0;
  private promptWeight: number | null = null;
  calls = 0;

  constructor(
    readonly group: Group,
    private readonly settings: GroupSettings,
  ) {
    const { window, minimum, method } = settings;
    const watch = (): Watch =>
      method === "robust" ? new LevelWatch(window, minimum) : new ThreeSigma(window, minimum);
    this.responses = new Series("responseMs", watch(), window);
    this.perToken = new Series("msPerToken", watch(), window);
  }

  /** Whether this group has been seen often enough to be judged. */
  get judged(): Measured<object> {
    const { minimum } = this.settings;
    const { missing } = this.responses.watch;
    return missing === 0 ? { enough: true } : notEnough(minimum - missing, minimum);
  }

  /** Takes in the next call, in order of time. A failed call has no duration of its own. */
  take(call: Call): readonly Anomaly[] {
    this.calls++;
    this.usualAge++;
    const { record } = call;
    if (record.error !== null || record.totalMs === null || record.totalMs <= 0) return NOTHING;
    const verdict = this.responses.push(call, record.totalMs);
    const tokenVerdict = this.takePerToken(call);
    if (verdict === null && tokenVerdict === null) return NOTHING;
    const found = new Map<string, Anomaly>();
    for (const [series, each] of [
      [this.responses, verdict],
      [this.perToken, tokenVerdict],
    ] as const) {
      for (const spike of each?.spikes ?? []) {
        const anomaly = this.spike(series, spike);
        // A call that is slow both as it is and by token is one finding.
        if (!found.has(anomaly.requestId!)) found.set(anomaly.requestId!, anomaly);
      }
    }
    const changed = verdict?.change ? this.responses : tokenVerdict?.change ? this.perToken : null;
    const change = verdict?.change ?? tokenVerdict?.change;
    return changed && change ? [...found.values(), this.change(changed, change)] : [...found.values()];
  }

  /** Working time by token. What a prompt token weighs is settled once, or slower prompts would hide themselves. */
  private takePerToken(call: Call): Verdict | null {
    if (this.promptWeight !== null) return this.pushPerToken(call, this.promptWeight);
    const { calls } = this.responses;
    if (calls.length < this.settings.minimum) return null;
    const weight = promptWeight(calls);
    this.promptWeight = weight;
    return calls.map((each) => this.pushPerToken(each, weight)).at(-1) ?? null;
  }

  private pushPerToken(call: Call, weight: number): Verdict | null {
    const { totalMs, loadMs, outputTokens } = call.record;
    const fresh = freshTokens(call.record);
    if (outputTokens === null || fresh === null) return null;
    const tokens = outputTokens + weight * fresh;
    const ms = totalMs! - (loadMs ?? 0);
    return tokens > 0 && ms > 0 ? this.perToken.push(call, ms / tokens) : null;
  }

  private spike(series: Series, { back, z, expected }: Spike): Anomaly {
    const call = series.calls[series.calls.length - 1 - back]!;
    const { record } = call;
    const found = series.values[series.values.length - 1 - back]!;
    if (this.usual === null || this.usualAge >= PROFILE_AGE) {
      this.usual = profileOf(this.responses.calls.slice(-PROFILE_CALLS));
      this.usualAge = 0;
    }
    const cause = causeOf(this.usual, profileOfCall(call));
    const took = series.metric === "responseMs" ? "took" : "took, by token,";
    return {
      ...this.place("spike", series.metric, cause),
      at: record.at,
      noticedAt: record.at,
      requestId: record.id,
      expected,
      found,
      ratio: found / expected,
      direction: "worse",
      score: z,
      cause,
      text: `A call of ${groupName(this.group)} ${took} ${duration(found)} where ${duration(expected)} is usual${because(cause)}.`,
    };
  }

  private change(series: Series, { run, side, score }: LevelChange): Anomaly {
    const { window } = this.settings;
    const last = series.calls.at(-1)!.record;
    const first = series.calls.at(-run)!;
    const expected = median(series.values.slice(-run - window, -run));
    const found = median(series.values.slice(-run));
    const calls = this.responses.calls;
    const began = Math.max(0, calls.indexOf(first));
    const before = profileOf(calls.slice(Math.max(0, began - window), began));
    const cause = side > 0 ? causeOf(before, profileOf(calls.slice(began))) : null;
    // What comes next is compared with the new level.
    this.responses.restart(calls.length - began);
    this.perToken.restart(
      series === this.perToken ? run : this.perToken.calls.filter(({ at }) => at >= first.at).length,
    );
    this.usual = null;
    const direction = side > 0 ? "worse" : "better";
    const place = this.place("change", series.metric, cause);
    return {
      ...place,
      key: `${place.key} ${direction}`,
      at: first.record.at,
      noticedAt: last.at,
      requestId: last.id,
      expected,
      found,
      ratio: found / expected,
      direction,
      score,
      cause,
      text: `The ${METRIC_WORDS[series.metric]} of ${groupName(this.group)} went from ${duration(expected)} to ${duration(found)} at ${first.record.at}${because(cause)}.`,
    };
  }

  private place(
    kind: "spike" | "change",
    metric: Metric,
    cause: Cause | null,
  ): Pick<Anomaly, "key" | "kind" | "metric" | "group"> {
    const { serverId, model, templateId } = this.group;
    return {
      key: JSON.stringify([kind, cause, serverId, model, templateId]),
      kind,
      metric,
      group: this.group,
    };
  }
}

function because(cause: Cause | null): string {
  return cause === null ? "" : `: ${CAUSE_WORDS[cause]}`;
}

/** What a prompt token costs against one of output, by the time both took. */
function promptWeight(calls: readonly Call[]): number {
  let [promptMs, fresh, outputMs, output] = [0, 0, 0, 0];
  for (const { record } of calls) {
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

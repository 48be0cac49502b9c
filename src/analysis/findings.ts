/** Anomalies of one place and cause put together: what a person should know, told once. */

import { entryOf } from "./entryOf.js";
import type { Anomaly, Cause, Finding, Group } from "./types.js";
import { CAUSE_WORDS, groupName, percent, plural } from "./words.js";

/** Slow calls that chance alone makes: what the detector is tuned to, rounded up. */
const CHANCE = 0.01;
/** With so many standard deviations more than that, they are no chance. */
const SURE = 3;
/** A cause is named when it explains so much of a group's slow calls. */
const NAMED_SHARE = 0.1;

interface Slow {
  readonly group: Group;
  readonly byCause: Map<Cause | null, { times: number; firstAt: string; lastAt: string; worst: number }>;
  times: number;
}

/** Collects anomalies without keeping them. */
export class FindingCollector {
  private readonly findings = new Map<string, Finding & { times: number; lastAt: string; text: string }>();
  private readonly slow = new Map<string, Slow>();

  take(anomaly: Anomaly): void {
    if (anomaly.direction === "better") return;
    if (anomaly.kind === "spike" && anomaly.group) {
      this.takeSlow(anomaly, anomaly.group);
      return;
    }
    const { kind, cause, group, key, at, text } = anomaly;
    const known = this.findings.get(key);
    if (!known) {
      this.findings.set(key, { kind, cause, group, times: 1, firstAt: at, lastAt: at, text });
      return;
    }
    this.findings.set(key, { ...known, times: known.times + 1, lastAt: at, text });
  }

  /**
   * @param callsOf calls of each group, to tell many slow calls from few
   * @returns the most recent last
   */
  result(callsOf: (group: Group) => number): Finding[] {
    const slow = [...this.slow.values()].flatMap((each) => slowFindings(each, callsOf(each.group)));
    return [...this.findings.values(), ...slow].sort((a, b) => a.lastAt.localeCompare(b.lastAt));
  }

  private takeSlow({ cause, at, ratio }: Anomaly, group: Group): void {
    const key = JSON.stringify([group.serverId, group.model, group.templateId]);
    const slow = entryOf(this.slow, key, () => ({ group, byCause: new Map(), times: 0 }));
    slow.times++;
    const known = slow.byCause.get(cause);
    if (!known) {
      slow.byCause.set(cause, { times: 1, firstAt: at, lastAt: at, worst: ratio });
      return;
    }
    known.times++;
    known.lastAt = at;
    known.worst = Math.max(known.worst, ratio);
  }
}

function slowFindings({ group, byCause, times }: Slow, calls: number): Finding[] {
  const byChance = CHANCE * calls;
  if (times <= byChance + SURE * Math.sqrt(byChance) + 1) return [];
  return [...byCause]
    .filter(([, each]) => each.times >= NAMED_SHARE * times)
    .map(([cause, each]) => ({
      kind: "spike",
      cause,
      group,
      times: each.times,
      firstAt: each.firstAt,
      lastAt: each.lastAt,
      text: `${plural(each.times, "call")} of ${groupName(group)} (${percent(each.times / calls)}) ${each.times === 1 ? "was" : "were"} far slower than usual, up to ${each.worst.toPrecision(2)} x: ${cause === null ? "the records do not tell why" : CAUSE_WORDS[cause]}.`,
    }));
}

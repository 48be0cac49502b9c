/** Anomalies of one model and cause put together: what a person should know, told once. */
import { entryOf } from "./entryOf.js";
import type { Anomaly, Cause, Finding, Group } from "./types.js";
import { CAUSE_WORDS, groupName, percent, plural } from "./words.js";

/** Slow calls that chance alone makes: what the detector is tuned to, rounded up. */
const CHANCE = 0.01;
/** With so many standard deviations more than that, they are no chance. */
const SURE = 3;

/** Anomalies of one group and cause so far. */
interface Heap {
  readonly anomaly: Anomaly;
  /** null: the machine or all requests together. */
  readonly group: Group | null;
  /** Templates that are in it. */
  groups: number;
  /** Calls of these groups. */
  calls: number;
  times: number;
  firstAt: string;
  lastAt: string;
  worst: number;
  text: string;
}

/** Collects anomalies without keeping them. */
export class FindingCollector {
  private readonly heaps = new Map<Group | null, Map<string, Heap>>();

  take(anomaly: Anomaly): void {
    if (anomaly.direction === "better") return;
    const { kind, cause, metric, group, at, ratio, text } = anomaly;
    const ofGroup = entryOf(this.heaps, group, () => new Map<string, Heap>());
    const key =
      kind === "spike" || kind === "change" ? `${kind} ${cause}` : `${kind} ${metric} ${anomaly.key}`;
    const heap = ofGroup.get(key);
    if (!heap) {
      const one = {
        anomaly,
        group,
        groups: 1,
        calls: 0,
        times: 1,
        firstAt: at,
        lastAt: at,
        worst: ratio,
        text,
      };
      ofGroup.set(key, one);
      return;
    }
    heap.times++;
    // Calls stand in the order of their ends: a long one may have begun first.
    if (at < heap.firstAt) heap.firstAt = at;
    if (at > heap.lastAt) heap.lastAt = at;
    heap.worst = Math.max(heap.worst, ratio);
    heap.text = text;
  }

  /**
   * Slow calls count when they are more than chance makes of their group. Templates of one model that share a cause are
   * one finding, and slow calls that another finding explains are none.
   *
   * @param callsOf calls of a group
   * @returns the most recent last
   */
  result(callsOf: (group: Group) => number): Finding[] {
    const merged = new Map<string, Heap>();
    for (const [group, heaps] of this.heaps) {
      const calls = group ? callsOf(group) : 0;
      for (const heap of notable([...heaps.values()], calls)) addTo(merged, { ...heap, calls });
    }
    const all = [...merged.values()];
    const explained = new Set(all.filter(({ anomaly }) => anomaly.kind !== "spike").map(placeOf));
    return all
      .filter(
        (heap) =>
          heap.anomaly.kind !== "spike" || heap.anomaly.cause === null || !explained.has(placeOf(heap)),
      )
      .map(findingOf)
      .sort((a, b) => a.lastAt.localeCompare(b.lastAt));
  }
}

/** Slow calls of one cause are told of when they are more than all that chance makes. */
function notable(heaps: readonly Heap[], calls: number): readonly Heap[] {
  const byChance = CHANCE * calls;
  const most = byChance + SURE * Math.sqrt(byChance) + 1;
  return heaps.filter(({ anomaly, times }) => anomaly.kind !== "spike" || times > most);
}

function addTo(merged: Map<string, Heap>, heap: Heap): void {
  const { kind, cause, key } = heap.anomaly;
  const isShared = cause !== null && (kind === "spike" || kind === "change");
  const place = isShared ? `${kind} ${placeOf(heap)}` : key;
  const known = merged.get(place);
  if (!known) {
    merged.set(place, heap);
    return;
  }
  merged.set(place, {
    ...(known.times >= heap.times ? known : heap),
    groups: known.groups + heap.groups,
    calls: known.calls + heap.calls,
    times: known.times + heap.times,
    firstAt: known.firstAt.localeCompare(heap.firstAt) < 0 ? known.firstAt : heap.firstAt,
    lastAt: known.lastAt.localeCompare(heap.lastAt) > 0 ? known.lastAt : heap.lastAt,
    worst: Math.max(known.worst, heap.worst),
  });
}

function placeOf({ anomaly: { cause }, group }: Heap): string {
  return JSON.stringify([cause, group?.serverId, group?.model]);
}

function findingOf(heap: Heap): Finding {
  const { anomaly, group, groups, times, firstAt, lastAt } = heap;
  const { kind, cause } = anomaly;
  const shared = group && groups > 1 ? { ...group, templateId: null } : group;
  return { kind, cause, group: shared, times, firstAt, lastAt, text: textOf(heap, shared, cause) };
}

function textOf(
  { anomaly, groups, calls, times, worst, text }: Heap,
  group: Group | null,
  cause: Cause | null,
): string {
  if (anomaly.kind !== "spike" || !group) {
    return groups > 1 ? `${text} The same in ${plural(groups - 1, "more template")}.` : text;
  }
  const why = cause === null ? "the records do not tell why" : CAUSE_WORDS[cause];
  return `${plural(times, "call")} of ${groupName(group)} (${percent(times / calls)}) ${times === 1 ? "was" : "were"} far slower than usual, up to ${worst.toPrecision(2)} x: ${why}.`;
}

/** Time in which servers worked: calls at the same time count once. */
import { entryOf } from "./entryOf.js";

/** Stretches of work within one long call, and as many again; what lies before them counts as new. */
const KEPT = 1_024;

interface Stretch {
  from: number;
  to: number;
}

/**
 * The union of calls as intervals, one server at a time, whether they come in order of their beginnings or their ends.
 *
 * @example
 * const time = new WorkingTime();
 * time.add("server", 10, 20) // 10
 * time.add("server", 0, 30) // 20
 * time.add("server", 25, 28) // 0
 */
export class WorkingTime {
  private readonly servers = new Map<string, Stretch[]>();

  /** @returns ms of this call in which no earlier call kept the server working */
  add(serverId: string, from: number, to: number): number {
    const stretches = entryOf(this.servers, serverId, () => []);
    const latest = stretches.at(-1);
    if (latest === undefined || from > latest.to) {
      stretches.push({ from, to });
      if (stretches.length > 2 * KEPT) stretches.splice(0, KEPT);
      return to - from;
    }
    if (from >= latest.from) {
      const more = Math.max(0, to - latest.to);
      latest.to += more;
      return more;
    }
    // Stretches lie apart, in order. Those that this one touches become one with it.
    let last = stretches.length;
    while (last > 0 && stretches[last - 1]!.from > to) last--;
    let first = last;
    let known = 0;
    while (first > 0 && stretches[first - 1]!.to >= from) {
      first--;
      known += Math.max(0, Math.min(stretches[first]!.to, to) - Math.max(stretches[first]!.from, from));
    }
    const touched = stretches.slice(first, last);
    const merged = {
      from: Math.min(from, touched[0]?.from ?? from),
      to: Math.max(to, touched.at(-1)?.to ?? to),
    };
    stretches.splice(first, last - first, merged);
    return to - from - known;
  }
}

/** Tallies of the last minutes, hours and days: rings whose oldest place is taken by the newest span. */
import type { Point } from "./point.js";
import { type Buckets, type MonitorFigures, Tally } from "./tally.js";

/** Spans of time that are kept, and how many of each. Days are those of UTC. */
const RINGS = {
  minutes: { widthMs: 60_000, length: 60 },
  hours: { widthMs: 3_600_000, length: 48 },
  days: { widthMs: 86_400_000, length: 31 },
} as const;

/** The last so many minutes (up to 60), hours (48) or days (31), the one under way included. */
export type Last = { readonly minutes: number } | { readonly hours: number } | { readonly days: number };

/** Figures of one span. */
export interface Span extends MonitorFigures {
  /** ISO 8601, start of the span. */
  readonly from: string;
}

type Ring = keyof typeof RINGS;
interface Place {
  /** Spans since 1970. */
  readonly number: number;
  readonly tally: Tally;
}

export class Rings {
  /** Memory held, in bytes. */
  bytes = 0;
  private readonly places: Record<Ring, Place[]> = { minutes: [], hours: [], days: [] };

  add(point: Point, buckets: Buckets): void {
    this.addIn("minutes", point, buckets);
    this.addIn("hours", point, buckets);
    this.addIn("days", point, buckets);
  }

  /** @param now milliseconds since 1970 */
  sum(last: Last, now: number): MonitorFigures {
    const sum = new Tally();
    for (const { tally } of this.within(last, now)) tally.addTo(sum);
    return sum.figures();
  }

  /** Spans in which calls were made, oldest first. */
  spans(last: Last, now: number): readonly Span[] {
    const { widthMs } = RINGS[ringOf(last)];
    return this.within(last, now).map(({ number, tally }) => ({
      from: new Date(number * widthMs).toISOString(),
      ...tally.figures(),
    }));
  }

  private addIn(ring: Ring, point: Point, buckets: Buckets): void {
    const { widthMs, length } = RINGS[ring];
    const number = Math.floor(point.at / widthMs);
    const index = number % length;
    const places = this.places[ring];
    let place = places[index];
    // Older than the ring reaches back.
    if (place !== undefined && place.number > number) return;
    if (place === undefined || place.number < number) {
      this.bytes -= place?.tally.bytes ?? 0;
      place = { number, tally: new Tally() };
      places[index] = place;
      this.bytes += place.tally.bytes;
    }
    const before = place.tally.bytes;
    place.tally.add(point, buckets);
    this.bytes += place.tally.bytes - before;
  }

  private within(last: Last, now: number): readonly Place[] {
    const ring = ringOf(last);
    const { widthMs, length } = RINGS[ring];
    const count = Math.min(length, (last as Readonly<Record<Ring, number>>)[ring]);
    const newest = Math.floor(now / widthMs);
    return this.places[ring]
      .filter(({ number }) => number > newest - count)
      .sort((a, b) => a.number - b.number);
  }
}

function ringOf(last: Last): Ring {
  return "minutes" in last ? "minutes" : "hours" in last ? "hours" : "days";
}

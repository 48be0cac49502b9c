/** Tallies of the last minutes, hours and days: rings whose oldest place is taken by the newest span. */
import type { Point } from "./point.js";
import { type Buckets, type MonitorFigures, Tally, type Whose } from "./tally.js";

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

export class Rings {
  /** Memory held, in bytes. */
  bytes = 0;
  /** Number of its latest use: for whoever keeps many. */
  usedAt = 0;
  private readonly tallies: Record<Ring, Tally[]> = { minutes: [], hours: [], days: [] };

  /** The minute under way, while its calls are in no hour and no day yet. */
  private newest: Tally | null = null;

  constructor(private readonly whose: Whose) {}

  add(point: Point, buckets: Buckets): void {
    const { newest } = this;
    const minute = Math.floor(point.at / RINGS.minutes.widthMs);
    if (newest === null || minute > newest.span) {
      this.roll();
      this.newest = this.place("minutes", minute);
    } else if (minute < newest.span) {
      // It came late: each ring counts it by itself.
      this.addIn("minutes", point, buckets);
      this.addIn("hours", point, buckets);
      this.addIn("days", point, buckets);
      return;
    }
    if (this.newest) this.count(this.newest, point, buckets);
  }

  /** @param now milliseconds since 1970 */
  sum(last: Last, now: number): MonitorFigures {
    const sum = new Tally(0);
    for (const tally of this.within(last, now)) tally.addTo(sum);
    return sum.figures();
  }

  /** Spans in which calls were made, oldest first. */
  spans(last: Last, now: number): readonly Span[] {
    const { widthMs } = RINGS[ringOf(last)];
    return this.within(last, now).map((tally) => ({
      from: new Date(tally.span * widthMs).toISOString(),
      ...tally.figures(),
    }));
  }

  /** Adds the newest minute to its hour and its day: once a minute instead of with each call. */
  private roll(): void {
    const { newest } = this;
    this.newest = null;
    if (newest === null) return;
    for (const ring of ["hours", "days"] as const) {
      const at = newest.span * RINGS.minutes.widthMs;
      const sum = this.place(ring, Math.floor(at / RINGS[ring].widthMs));
      if (sum === null) continue;
      const before = sum.bytes;
      newest.addTo(sum);
      this.bytes += sum.bytes - before;
    }
  }

  private addIn(ring: Ring, point: Point, buckets: Buckets): void {
    const tally = this.place(ring, Math.floor(point.at / RINGS[ring].widthMs));
    if (tally) this.count(tally, point, buckets);
  }

  private count(tally: Tally, point: Point, buckets: Buckets): void {
    const before = tally.bytes;
    tally.add(point, buckets, this.whose);
    this.bytes += tally.bytes - before;
  }

  /** The tally of a span; null for one that is older than the ring reaches back. */
  private place(ring: Ring, span: number): Tally | null {
    const tallies = this.tallies[ring];
    const index = span % RINGS[ring].length;
    const known = tallies[index];
    if (known && known.span >= span) return known.span === span ? known : null;
    const tally = new Tally(span);
    tallies[index] = tally;
    this.bytes += tally.bytes - (known?.bytes ?? 0);
    return tally;
  }

  private within(last: Last, now: number): readonly Tally[] {
    this.roll();
    const ring = ringOf(last);
    const { widthMs, length } = RINGS[ring];
    const count = Math.min(length, (last as Readonly<Record<Ring, number>>)[ring]);
    const newest = Math.floor(now / widthMs);
    // A clock that ran ahead and was put right leaves spans behind that have not come yet; the next one may have begun.
    return this.tallies[ring]
      .filter(({ span }) => span > newest - count && span <= newest + 1)
      .sort((a, b) => a.span - b.span);
  }
}

function ringOf(last: Last): Ring {
  return "minutes" in last ? "minutes" : "hours" in last ? "hours" : "days";
}

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

  /** The newest minute, which is in no hour yet; and its hour, which is in no day yet. */
  private minute: Tally | null = null;
  private hour: Tally | null = null;
  /** The newest minute that a call was counted in; and the one before which all are counted as if they came late. */
  private newest = 0;
  private lateBefore = 0;

  constructor(private readonly whose: Whose) {}

  /** @param now milliseconds since 1970 */
  add(point: Point, buckets: Buckets, now: number): void {
    const span = Math.floor(point.at / RINGS.minutes.widthMs);
    if (this.newest > spanOf("minutes", now) + 1) this.putBack(now);
    this.newest = Math.max(this.newest, span);
    if (span < (this.minute?.span ?? this.lateBefore)) {
      this.addLate(point, buckets);
      return;
    }
    if (this.minute === null || span > this.minute.span) this.begin(span);
    if (this.minute) this.count(this.minute, point, buckets);
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

  /** A new minute: the one before goes into its hour, and that into its day, once instead of with each call. */
  private begin(minute: number): void {
    if (this.minute && this.hour) this.join(this.minute, this.hour);
    this.minute = this.place("minutes", minute);
    const hour = hourOf(minute);
    if (this.hour?.span === hour) return;
    const day = this.hour && this.place("days", dayOf(this.hour.span));
    if (this.hour && day) this.join(this.hour, day);
    this.hour = this.place("hours", hour);
  }

  /**
   * The clock ran ahead and was put right: spans that have not come yet would keep their places from those that come
   * before them. Until no tally is left that holds what it can already, each place is counted by itself.
   */
  private putBack(now: number): void {
    if (this.minute && this.hour) this.join(this.minute, this.hour);
    const ofHour = this.hour && dayOf(this.hour.span);
    const day = ofHour !== null && ofHour <= spanOf("days", now) + 1 ? this.place("days", ofHour) : null;
    if (this.hour && day) this.join(this.hour, day);
    this.minute = null;
    this.hour = null;
    this.newest = 0;
    this.lateBefore = ((spanOf("days", now) + 2) * RINGS.days.widthMs) / RINGS.minutes.widthMs;
    for (const ring of Object.keys(RINGS) as Ring[]) {
      for (const [index, tally] of Object.entries(this.tallies[ring])) {
        if (tally.span <= spanOf(ring, now) + 1) continue;
        delete this.tallies[ring][Number(index)];
        this.bytes -= tally.bytes;
      }
    }
  }

  private join(part: Tally, sum: Tally): void {
    const before = sum.bytes;
    part.addTo(sum);
    this.bytes += sum.bytes - before;
  }

  /** It came after its minute was over: its hour's place, and its day's, count it by themselves. */
  private addLate(point: Point, buckets: Buckets): void {
    this.addIn("minutes", point, buckets);
    this.addIn("hours", point, buckets);
    if (Math.floor(point.at / RINGS.hours.widthMs) !== this.hour?.span) this.addIn("days", point, buckets);
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
    const ring = ringOf(last);
    const { widthMs, length } = RINGS[ring];
    const count = Math.min(length, (last as Readonly<Record<Ring, number>>)[ring]);
    const newest = Math.floor(now / widthMs);
    const whole = this.newestOf(ring);
    // A clock that ran ahead and was put right leaves spans behind that have not come yet; the next one may have begun.
    return [...this.tallies[ring].filter(({ span }) => span !== whole?.span), ...(whole ? [whole] : [])]
      .filter(({ span }) => span > newest - count && span <= newest + 1)
      .sort((a, b) => a.span - b.span);
  }

  /** The span under way with what is in none of its ring's places yet. */
  private newestOf(ring: Ring): Tally | null {
    const { minute, hour } = this;
    if (ring === "minutes" || minute === null || hour === null) return null;
    if (ring === "hours") return sumOf(hour.span, [hour, minute]);
    const span = dayOf(hour.span);
    return sumOf(span, [...this.tallies.days.filter((day) => day.span === span), hour, minute]);
  }
}

const spanOf = (ring: Ring, at: number): number => Math.floor(at / RINGS[ring].widthMs);
const hourOf = (minute: number): number => Math.floor((minute * RINGS.minutes.widthMs) / RINGS.hours.widthMs);
const dayOf = (hour: number): number => Math.floor((hour * RINGS.hours.widthMs) / RINGS.days.widthMs);

function sumOf(span: number, parts: readonly Tally[]): Tally {
  const sum = new Tally(span);
  for (const part of parts) part.addTo(sum);
  return sum;
}

function ringOf(last: Last): Ring {
  return "minutes" in last ? "minutes" : "hours" in last ? "hours" : "days";
}

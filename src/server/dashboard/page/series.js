/** What ended calls cost over the last hour, in slots of five seconds: as much memory for a thousand calls a second as for one. */

/** @typedef {import("../../activity.js").FinishedCall} FinishedCall */

/** Counts by logarithmic bucket, as in a DDSketch (Masson, Rim, Lee 2019): a quantile is at most 2.5 % off. */
/** @typedef {Map<number, number>} Histogram */

/**
 * @typedef {object} Slot
 * @property {number} calls
 * @property {number} errors
 * @property {number} reloads
 * @property {number} loadMs
 * @property {number} callMs
 * @property {number} promptTokens
 * @property {number} cachedTokens
 * @property {number} outputTokens
 * @property {Histogram} duration
 * @property {Histogram} firstToken
 */

/** @typedef {Slot & { readonly at: number }} Point `at`: its end, milliseconds */

const SLOT_MS = 5_000;
export const LONGEST_SPAN_MS = 3_600_000;
const LOG_GROWTH = Math.log(1.05);

export class Series {
  /** @type {Map<number, Slot>} */
  #slots = new Map();

  /** @param {FinishedCall} call */
  add(call) {
    const endedAt = Date.parse(call.startedAt) + call.durationMs;
    const index = Math.floor(endedAt / SLOT_MS);
    let slot = this.#slots.get(index);
    if (!slot) {
      slot = emptySlot();
      this.#slots.set(index, slot);
      for (const old of this.#slots.keys()) {
        if (old < index - LONGEST_SPAN_MS / SLOT_MS) this.#slots.delete(old);
      }
    }
    slot.calls++;
    if (call.errorCode !== null) slot.errors++;
    if (call.reloaded) slot.reloads++;
    slot.callMs += call.durationMs;
    slot.loadMs += call.reloaded ? (call.loadMs ?? 0) : 0;
    // Of a call that failed it is the optimizer's own count, often an upper bound.
    if (call.errorCode === null) slot.promptTokens += call.promptTokens ?? 0;
    slot.cachedTokens += call.cachedTokens ?? 0;
    slot.outputTokens += call.outputTokens ?? 0;
    // What came from a cache says nothing about the model.
    if (!call.cached) count(slot.duration, call.durationMs);
    count(slot.firstToken, call.timeToFirstTokenMs);
  }

  /**
   * Points of equal length, the last of them under way.
   *
   * @param {number} spanMs
   * @param {number} stepMs a multiple of 5 s
   * @param {number} now milliseconds
   * @returns {Point[]} oldest first
   */
  points(spanMs, stepMs, now) {
    const length = Math.ceil(spanMs / stepMs);
    const first = Math.floor(now / stepMs) - length + 1;
    const points = Array.from({ length }, (_, index) => ({
      ...emptySlot(),
      at: (first + index + 1) * stepMs,
    }));
    for (const [index, slot] of this.#slots) {
      const point = points[Math.floor((index * SLOT_MS) / stepMs) - first];
      if (point) addTo(point, slot);
    }
    return points;
  }

  /**
   * All of a span in one.
   *
   * @param {number} spanMs
   * @param {number} now milliseconds
   * @returns {Slot}
   */
  total(spanMs, now) {
    const sum = emptySlot();
    for (const [index, slot] of this.#slots) if ((index + 1) * SLOT_MS > now - spanMs) addTo(sum, slot);
    return sum;
  }
}

/**
 * @param {Histogram} histogram
 * @param {number} share 0..1
 * @returns {number | null} milliseconds; null when it is empty
 */
export function quantile(histogram, share) {
  const buckets = [...histogram].sort(([a], [b]) => a - b);
  const all = buckets.reduce((sum, [, calls]) => sum + calls, 0);
  let seen = 0;
  for (const [bucket, calls] of buckets) {
    seen += calls;
    if (seen >= share * all) return (2 * 1.05 ** bucket) / 2.05;
  }
  return null;
}

/**
 * @param {Histogram} histogram
 * @param {number | null} ms
 */
function count(histogram, ms) {
  if (ms === null || !Number.isFinite(ms) || ms < 0) return;
  // From 0.1 ms.
  const bucket = Math.ceil(Math.log(Math.max(0.1, ms)) / LOG_GROWTH);
  histogram.set(bucket, (histogram.get(bucket) ?? 0) + 1);
}

/** @returns {Slot} */
function emptySlot() {
  const none = {
    calls: 0,
    errors: 0,
    reloads: 0,
    loadMs: 0,
    callMs: 0,
    promptTokens: 0,
    cachedTokens: 0,
    outputTokens: 0,
  };
  return { ...none, duration: new Map(), firstToken: new Map() };
}

/**
 * @param {Slot} sum
 * @param {Slot} slot
 */
function addTo(sum, slot) {
  sum.calls += slot.calls;
  sum.errors += slot.errors;
  sum.reloads += slot.reloads;
  sum.loadMs += slot.loadMs;
  sum.callMs += slot.callMs;
  sum.promptTokens += slot.promptTokens;
  sum.cachedTokens += slot.cachedTokens;
  sum.outputTokens += slot.outputTokens;
  for (const [bucket, calls] of slot.duration)
    sum.duration.set(bucket, (sum.duration.get(bucket) ?? 0) + calls);
  for (const [bucket, calls] of slot.firstToken) {
    sum.firstToken.set(bucket, (sum.firstToken.get(bucket) ?? 0) + calls);
  }
}

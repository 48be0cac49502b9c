/** What the event stream has told so far: bounded, whatever comes. */
import { Series } from "./series.js";

/** @typedef {import("../../activity.js").RunningCall} RunningCall */
/** @typedef {import("../../activity.js").FinishedCall} FinishedCall */
/** @typedef {import("../../activity.js").QueueState} QueueState */
/** @typedef {import("../../activity.js").ActivityEvent} ActivityEvent */
/** @typedef {import("../../eventStream.js").AlertEvent} AlertEvent */
/** @typedef {import("../../../analysis/types.js").Anomaly} Anomaly */
/**
 * @typedef {{ readonly type: "snapshot", readonly at: string, readonly running: readonly RunningCall[],
 *   readonly recent: readonly FinishedCall[], readonly queue: QueueState, readonly alerts: readonly Anomaly[] }} Snapshot
 */
/**
 * @typedef {object} Told an alert
 * @property {string} key the same for the same anomaly
 * @property {string} text as it was first told
 * @property {string} since
 * @property {string | null} overAt null: it is not over
 */

/** Ended calls that can be looked through. */
const KEPT = 500;
/** Alerts. */
const KEPT_ALERTS = 50;

export class LiveState {
  /** @type {Map<string, RunningCall>} in the order they began */
  running = new Map();
  /** @type {QueueState} */
  queue = { waiting: 0, limit: 0 };
  series = new Series();
  /** @type {Map<string, Told>} by key, the oldest first: each once, however often it is told */
  alerts = new Map();
  /**
   * Milliseconds that the server's clock is ahead of this machine's: the most that a time of the server showed, since
   * each was on its way for a while.
   */
  #clockOffset = 0;
  /** @type {Map<string, FinishedCall>} oldest first */
  #ended = new Map();

  /** @param {ActivityEvent | AlertEvent | Snapshot} event of a type that is not known: left out */
  apply(event) {
    if (event.type === "snapshot") this.#restart(event);
    else if (event.type === "started") this.#begin(event.call);
    else if (event.type === "changed") this.running.set(event.call.id, event.call);
    else if (event.type === "ended") this.#end(event.call);
    else if (event.type === "queue") this.queue = event.queue;
    else if (event.type === "alert") {
      const { type, at, anomaly } = event.alert;
      if (type === "raised") this.#raise(anomaly, at);
      else this.#recover(anomaly.key, at);
    }
  }

  /** The server's time in milliseconds. */
  now() {
    return Date.now() + this.#clockOffset;
  }

  /**
   * @param {number} [most]
   * @returns {FinishedCall[]} the latest first
   */
  ended(most = KEPT) {
    return [...this.#ended.values()].slice(-most).reverse();
  }

  /** @param {RunningCall} call */
  #begin(call) {
    this.running.set(call.id, call);
    this.#clockOffset = Math.max(this.#clockOffset, Date.parse(call.startedAt) - Date.now());
  }

  /** @param {Snapshot} snapshot also after the stream broke: calls that are known already do not count again */
  #restart({ at, running, recent, queue, alerts }) {
    this.#clockOffset = Date.parse(at) - Date.now();
    this.running = new Map(running.map((call) => [call.id, call]));
    this.queue = queue;
    for (const call of recent.toReversed()) this.#end(call);
    const open = new Set(alerts.map(({ key }) => key));
    for (const key of this.alerts.keys()) if (!open.has(key)) this.#recover(key, at);
    for (const anomaly of alerts) this.#raise(anomaly, anomaly.noticedAt);
  }

  /**
   * @param {Anomaly} anomaly
   * @param {string} since
   */
  #raise({ key, text }, since) {
    if (this.alerts.get(key)?.overAt === null) return;
    this.alerts.delete(key);
    this.alerts.set(key, { key, text, since, overAt: null });
    const [oldest] = this.alerts.keys();
    if (this.alerts.size > KEPT_ALERTS && oldest !== undefined) this.alerts.delete(oldest);
  }

  /**
   * @param {string} key
   * @param {string} at
   */
  #recover(key, at) {
    const told = this.alerts.get(key);
    if (told?.overAt === null) this.alerts.set(key, { ...told, overAt: at });
  }

  /** @param {FinishedCall} call */
  #end(call) {
    this.running.delete(call.id);
    if (this.#ended.has(call.id)) return;
    this.#ended.set(call.id, call);
    this.series.add(call);
    if (this.#ended.size > KEPT) {
      const [oldest] = this.#ended.keys();
      if (oldest !== undefined) this.#ended.delete(oldest);
    }
  }
}

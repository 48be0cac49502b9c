/** What the event stream has told so far: bounded, whatever comes. */
import { Series } from "./series.js";

/** @typedef {import("../../activity.js").RunningCall} RunningCall */
/** @typedef {import("../../activity.js").FinishedCall} FinishedCall */
/** @typedef {import("../../activity.js").QueueState} QueueState */
/** @typedef {import("../../activity.js").ActivityEvent} ActivityEvent */
/**
 * @typedef {{ readonly type: "snapshot", readonly at: string, readonly running: readonly RunningCall[],
 *   readonly recent: readonly FinishedCall[], readonly queue: QueueState }} Snapshot
 */

/** Ended calls that can be looked through. */
const KEPT = 500;

export class LiveState {
  /** @type {Map<string, RunningCall>} in the order they began */
  running = new Map();
  /** @type {QueueState} */
  queue = { waiting: 0, limit: 0 };
  series = new Series();
  /**
   * Milliseconds that the server's clock is ahead of this machine's: the most that a time of the server showed, since
   * each was on its way for a while.
   */
  #clockOffset = 0;
  /** @type {Map<string, FinishedCall>} oldest first */
  #ended = new Map();

  /** @param {ActivityEvent | Snapshot} event of a type that is not known: left out */
  apply(event) {
    if (event.type === "snapshot") this.#restart(event);
    else if (event.type === "started") this.#begin(event.call);
    else if (event.type === "changed") this.running.set(event.call.id, event.call);
    else if (event.type === "ended") this.#end(event.call);
    else if (event.type === "queue") this.queue = event.queue;
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
  #restart({ at, running, recent, queue }) {
    this.#clockOffset = Date.parse(at) - Date.now();
    this.running = new Map(running.map((call) => [call.id, call]));
    this.queue = queue;
    for (const call of recent.toReversed()) this.#end(call);
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

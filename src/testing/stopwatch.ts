/**
 * The duration of one call. Replies are immediate unless `realTime` is asked for, yet durations are as if the
 * work had been done: what the clock shows plus what was computed.
 */
import type { Clock } from "./clock.js";

export interface Stopwatch {
  /** Milliseconds since the call came in. */
  readonly elapsedMs: number;
  /** Work that takes `ms`: waited for in real time, else only counted. */
  work(ms: number, signal?: AbortSignal): Promise<void>;
  /** Waits on the clock in any case: a delay that a script asks for. */
  wait(ms: number, signal?: AbortSignal): Promise<void>;
}

/** @example const watch = startStopwatch(clock, false); await watch.work(300); watch.elapsedMs // 300 */
export function startStopwatch(clock: Clock, realTime: boolean): Stopwatch {
  const start = clock.now();
  let counted = 0;
  return {
    get elapsedMs() {
      return clock.now() - start + counted;
    },
    async work(ms, signal) {
      if (realTime) await clock.sleep(ms, signal);
      else counted += ms;
    },
    wait: (ms, signal) => clock.sleep(ms, signal),
  };
}

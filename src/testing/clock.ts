/** Time as the server sees it, so that tests expire a model or delay a reply without waiting. */

/** Milliseconds since 1970, and waiting. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Resolves after `ms`; resolves at once when `signal` aborts (the caller looks at the signal). */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** The machine's own clock, with fractions of a millisecond. */
export const systemClock: Clock = {
  now: () => performance.timeOrigin + performance.now(),
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted) return resolve();
      const done = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      signal?.addEventListener("abort", done);
    }),
};

/** A clock that stands still until it is told otherwise. */
export interface ManualClock extends Clock {
  /** Moves on by `ms` and wakes whoever slept until then, in order of their time. */
  advance(ms: number): void;
  /** How many are asleep: lets a test wait until a delayed reply has really begun to wait. */
  readonly sleepers: number;
}

/**
 * @param start milliseconds since 1970
 * @example
 * const clock = manualClock();
 * const server = await startOllamaServer({ clock, models: [{ name: "tiny" }] });
 * clock.advance(5 * 60_000); // the default keep_alive is over: `/api/ps` is empty
 */
export function manualClock(start: number = Date.UTC(2026, 0, 1)): ManualClock {
  let now = start;
  let sleeping: { readonly until: number; readonly wake: () => void }[] = [];
  return {
    now: () => now,
    get sleepers() {
      return sleeping.length;
    },
    sleep: (ms, signal) =>
      new Promise((resolve) => {
        if (ms <= 0 || signal?.aborted) return resolve();
        const sleeper = { until: now + ms, wake: resolve };
        sleeping.push(sleeper);
        signal?.addEventListener("abort", () => {
          sleeping = sleeping.filter((other) => other !== sleeper);
          resolve();
        });
      }),
    advance(ms) {
      now += ms;
      const due = sleeping.filter((sleeper) => sleeper.until <= now).sort((a, b) => a.until - b.until);
      sleeping = sleeping.filter((sleeper) => sleeper.until > now);
      for (const sleeper of due) sleeper.wake();
    },
  };
}

/** Equal calls at the same time: one goes, the others wait for it. */

/** Says that a call has ended. */
export type Land = () => void;

/**
 * Lets one call of a key go first. Those that come meanwhile wait until it has landed and then go on at once,
 * side by side: what it brought is in the cache, and when it brought nothing, none of them waits a second time.
 *
 * @example
 * const flights = new Flights();
 * const land = await flights.enter("a");
 * flights.size // 1
 * land();
 * flights.size // 0
 */
export class Flights {
  readonly #byKey = new Map<string, Promise<void>>();

  /** Calls under way. */
  get size(): number {
    return this.#byKey.size;
  }

  /**
   * @param signal ends the waiting of this call alone
   * @returns what the call must do in the end, whatever became of it
   * @throws the signal's reason
   */
  async enter(key: string, signal?: AbortSignal): Promise<Land> {
    const first = this.#byKey.get(key);
    if (first) {
      await unlessAborted(first, signal);
      return () => {};
    }
    let end: Land = () => {};
    const flight = new Promise<void>((resolve) => {
      end = resolve;
    });
    this.#byKey.set(key, flight);
    return () => {
      if (this.#byKey.get(key) === flight) this.#byKey.delete(key);
      end();
    };
  }
}

/**
 * The work's result, or the signal's reason as soon as it is aborted; the work itself goes on.
 *
 * @throws the signal's reason
 */
export async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return work;
  signal.throwIfAborted();
  let stop: () => void = () => {};
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason);
    signal.addEventListener("abort", stop, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

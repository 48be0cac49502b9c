/** Equal calls at the same time: one goes, the others wait for it. */

/** Says that a call has ended; given up, it was ended by its caller and says nothing about the others. */
export type Land = (isGivenUp?: boolean) => void;

/**
 * Lets one call of a key go first. Those that come meanwhile wait until it has landed and then go on at once,
 * side by side: what it brought is in the cache, and when it brought nothing, none of them waits a second time.
 * Where its caller gave it up, the next one goes first.
 *
 * @example
 * const flights = new Flights();
 * const land = await flights.enter("a");
 * flights.size // 1
 * land();
 * flights.size // 0
 */
export class Flights {
  readonly #byKey = new Map<string, Flight>();

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
    for (let first = this.#byKey.get(key); first; first = this.#byKey.get(key)) {
      if (!(await unlessAborted(first.isGivenUp, signal))) return () => {};
    }
    let end: (isGivenUp: boolean) => void = () => {};
    const isGivenUp = new Promise<boolean>((resolve) => {
      end = resolve;
    });
    const flight: Flight = { isGivenUp, isOutdated: false };
    this.#byKey.set(key, flight);
    return (isGivenUp = false) => {
      if (this.#byKey.get(key) === flight) this.#byKey.delete(key);
      end(isGivenUp || flight.isOutdated);
    };
  }

  /** What the calls under way of these keys bring is not wanted any more: they count as given up. */
  outdate(isMeant: (key: string) => boolean): void {
    for (const [key, flight] of this.#byKey) if (isMeant(key)) flight.isOutdated = true;
  }

  isOutdated(key: string): boolean {
    return this.#byKey.get(key)?.isOutdated ?? false;
  }
}

interface Flight {
  readonly isGivenUp: Promise<boolean>;
  isOutdated: boolean;
}

/**
 * The work's result, or the signal's reason as soon as it is aborted; the work itself goes on.
 *
 * @throws the signal's reason
 */
export async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return work;
  if (signal.aborted) {
    work.catch(() => {});
    throw signal.reason;
  }
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

/** A call's abort and timeout as one signal that lasts. */

/** Until Node 24, a timeout that only `AbortSignal.any` knows of is collected as garbage and never comes. */
const sources = new WeakMap<AbortSignal, readonly AbortSignal[]>();

/**
 * Options with one signal for their own, their timeout and another one. LangChain joins the first two itself, by
 * `AbortSignal.any` alone; with one of them only, it is right.
 *
 * @example oneSignal({ timeout: 100 }) // { timeout: 100 }
 */
export function oneSignal<O extends object>(options: O, other?: AbortSignal): O {
  const { signal, timeout, metadata } = options as {
    readonly signal?: AbortSignal;
    readonly timeout?: number;
    readonly metadata?: Record<string, unknown>;
  };
  const signals = [signal, other].filter((each) => each !== undefined);
  // What is no time, LangChain refuses.
  const isTimed = timeout !== undefined && timeout > 0;
  if (signals.length === 0 || (signals.length === 1 && !isTimed)) {
    return signals.length === 0 || signal ? options : { ...options, signal: other };
  }
  if (isTimed) signals.push(AbortSignal.timeout(timeout));
  const one = AbortSignal.any(signals);
  sources.set(one, signals);
  const timed = { timeout: undefined, metadata: { timeoutMs: timeout, ...metadata } };
  return { ...options, ...(isTimed && timed), signal: one };
}

/** The same for `batch()`, whose inputs may have options of their own. */
export function oneSignalEach<O extends object>(options: O | O[]): O | O[] {
  return Array.isArray(options) ? options.map((each) => oneSignal(each)) : oneSignal(options);
}

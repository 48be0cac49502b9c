/** Longest piece of work between two turns of the event loop, in milliseconds. */
const SLICE_MS = 6;

/**
 * Long work in slices, so that it never holds up the event loop.
 *
 * @example
 * const pace = startPace();
 * for (const line of lines) {
 *   work(line);
 *   if (pace.isDue()) await pace.rest();
 * }
 */
export function startPace(): { isDue(): boolean; rest(): Promise<void> } {
  let start = performance.now();
  return {
    isDue: () => performance.now() - start > SLICE_MS,
    rest: async () => {
      await new Promise<void>((resolve) => setImmediate(resolve));
      start = performance.now();
    },
  };
}

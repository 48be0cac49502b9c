/** Work in slices, so that it never holds up the event loop. */

/** Between two turns of the event loop, ms. A slow machine doubles it and is still below 20. */
const SLICE_MS = 5;

/** Tells when it is time for a pause. The time measured enters no result. */
export function startPace(): { isDue(): boolean; pause(): Promise<void> } {
  let start = performance.now();
  return {
    isDue: () => performance.now() - start > SLICE_MS,
    async pause() {
      await new Promise<void>((resolve) => setImmediate(resolve));
      start = performance.now();
    },
  };
}

/** Runs steps one after the other without a pause. */
export function atOnce<T>(steps: Generator<undefined, T>): T {
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
  }
}

/** Runs steps with pauses between them when they are due. */
export async function paced<T>(
  steps: Generator<undefined, T>,
  pace: ReturnType<typeof startPace>,
): Promise<T> {
  for (;;) {
    if (pace.isDue()) await pace.pause();
    const { done, value } = steps.next();
    if (done) return value;
  }
}

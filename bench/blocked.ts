/** How long something keeps the main thread from anything else. */
import { monitorEventLoopDelay } from "node:perf_hooks";
import { type Figure, median } from "./figures.js";

/** The main thread is never blocked for longer, milliseconds. */
const MOST_BLOCKED_MS = 5;

export const blocked = (what: string, value: number): Figure => ({
  what,
  value,
  unit: "ms",
  atMost: MOST_BLOCKED_MS,
});

export interface Watched {
  readonly ms: number;
  readonly blockedMs: number;
}

/** The medians of five runs: what other programs hold up is not in all of them. */
export async function repeated(run: () => Promise<Watched>): Promise<Watched> {
  const runs: Watched[] = [];
  for (let times = 0; times < 5; times++) runs.push(await run());
  return { ms: median(runs.map(({ ms }) => ms)), blockedMs: median(runs.map(({ blockedMs }) => blockedMs)) };
}

/** How long `work` takes, and the longest that it keeps the main thread from anything else. Milliseconds. */
export async function watched(work: () => Promise<unknown>): Promise<Watched> {
  // What was left over before is not on its clock.
  globalThis.gc?.();
  await new Promise((resolve) => setTimeout(resolve, 20));
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const start = performance.now();
  await work();
  const ms = performance.now() - start;
  await new Promise((resolve) => setTimeout(resolve, 5));
  delay.disable();
  return { ms, blockedMs: Math.max(0, delay.max / 1e6 - 1) };
}

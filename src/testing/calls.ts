/** What calls that need a loaded model have in common. */
import { EngineFailure, OutOfMemory } from "./engine.js";
import type { Exchange } from "./exchange.js";
import { failureTexts } from "./failures.js";
import { Refusal } from "./goJson.js";
import { outOfMemoryText } from "./memory.js";
import type { Caller, Slot } from "./scheduler.js";
import type { ServerState } from "./serverState.js";
import { startStopwatch } from "./stopwatch.js";

/** Starts the watch and tells the scheduler how a test wants the load to end. */
export function beginCall(state: ServerState, exchange: Exchange, keepAlive: number | undefined): Caller {
  const { path, body } = exchange.entry;
  return {
    keepAliveMs: keepAlive,
    stopwatch: startStopwatch(state.clock, state.realTime),
    signal: exchange.signal,
    failLoad: () => {
      const failure = state.failures.take(path, modelOf(body), ({ kind }) => kind === "outOfMemory");
      if (!failure) return undefined;
      return new OutOfMemory(failure.message ?? outOfMemoryText(2 ** 33, 2 ** 32, state.generation));
    },
  };
}

/** Faults that end a call before anything is done. Returns true when the call is over. */
export async function failedEarly(state: ServerState, exchange: Exchange): Promise<boolean> {
  const { path, body } = exchange.entry;
  const early = (kind: string | undefined): boolean =>
    kind === undefined || kind === "serverBusy" || kind === "hang";
  const failure = state.failures.take(path, modelOf(body), ({ kind }) => early(kind));
  if (!failure) return false;
  if (failure.kind === "hang") {
    await new Promise<void>((resolve) => {
      if (exchange.signal.aborted) resolve();
      exchange.signal.addEventListener("abort", () => resolve());
    });
    exchange.entry.aborted = { outputTokens: 0 };
    return true;
  }
  if (failure.kind === "serverBusy") throw new Refusal(503, failure.message ?? failureTexts.serverBusy);
  throw new Refusal(failure.status ?? 500, failure.message ?? "injected failure");
}

/** Runs with the slot for itself: one generation after the other. */
export async function handOver<T>(slot: Slot, run: () => Promise<T>): Promise<T> {
  const before = slot.turn;
  let done = (): void => {};
  slot.turn = new Promise((resolve) => {
    done = resolve;
  });
  try {
    await before;
    return await run();
  } finally {
    done();
  }
}

/** An error of the engine as status and text. */
export function asRefusal(error: unknown): Refusal | undefined {
  if (error instanceof Refusal) return error;
  if (error instanceof EngineFailure) return new Refusal(error.status, error.message);
  return undefined;
}

export function requestedOptions(body: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return (body.options as Record<string, unknown> | null | undefined) ?? {};
}

/** @example nanoseconds(1.5) // 1500000 */
export function nanoseconds(ms: number): number {
  return Math.round(ms * 1e6);
}

function modelOf(body: unknown): string | undefined {
  const model = typeof body === "object" && body !== null ? (body as { model?: unknown }).model : undefined;
  return typeof model === "string" ? model : undefined;
}

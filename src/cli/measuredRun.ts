/** Sends the workload through one chat model and measures what its replies and the server say. */
import type { BaseLanguageModelInput } from "@langchain/core/language_models/base";
import type { AIMessage } from "@langchain/core/messages";
import type { DecisionRecord } from "../records.js";
import { type DemoServer, loadedAs, unload } from "./demoServer.js";

/** The slice of a chat model that is needed: plain and optimized are measured alike. */
export interface Invokable {
  invoke(input: BaseLanguageModelInput, options: { readonly signal: AbortSignal }): Promise<AIMessage>;
}

/** Durations in ms, counts in tokens, memory in bytes. */
export interface MeasuredRun {
  /** The first load and each reload. */
  loads: number;
  /** Prompts that the server refused, and how many of those were answered on a second try. */
  refused: number;
  retried: number;
  totalMs: number;
  loadMs: number;
  promptTokens: number;
  /** null when the server does not tell (before 0.33.3). */
  cachedTokens: number | null;
  /** Of the loaded model, its weights included. */
  largestBytes: number;
  finalNumCtx: number | null;
  /** The server's `prompt_eval_count` by call; null for a call that was refused. */
  readonly promptCounts: (number | null)[];
  decision: DecisionRecord | null;
}

/** The figures of a reply that both models pass on; durations in ns. */
interface Figures {
  readonly load_duration?: number;
  readonly prompt_eval_count?: number;
  readonly prompt_eval_cached_count?: number;
  readonly optimizer?: DecisionRecord;
}

/**
 * @param tick called after each call with the number of calls done
 * @throws the model's error, unless the server refused the prompt
 */
export async function measuredRun(
  model: Invokable,
  prompts: readonly BaseLanguageModelInput[],
  server: DemoServer,
  signal: AbortSignal,
  tick: (done: number) => void,
): Promise<MeasuredRun> {
  await unload(server, signal);
  const run = newRun();
  const loads = new Loads();
  for (const [index, prompt] of prompts.entries()) {
    const start = performance.now();
    const reply = await unlessRefused(unlessAborted(model.invoke(prompt, { signal }), signal));
    run.totalMs += performance.now() - start;
    const loaded = await loadedAs(server, signal);
    run.largestBytes = Math.max(run.largestBytes, loaded?.size ?? 0);
    run.finalNumCtx = loaded?.context_length ?? null;
    const figures = reply?.response_metadata as Figures | undefined;
    const reloaded = figures && loads.isLoad((figures.load_duration ?? 0) / 1e6, run.finalNumCtx);
    add(run, figures, reloaded ? figures.load_duration! / 1e6 : null);
    tick(index + 1);
  }
  return run;
}

function newRun(): MeasuredRun {
  return {
    loads: 0,
    refused: 0,
    retried: 0,
    totalMs: 0,
    loadMs: 0,
    promptTokens: 0,
    cachedTokens: null,
    largestBytes: 0,
    finalNumCtx: null,
    promptCounts: [],
    decision: null,
  };
}

function add(run: MeasuredRun, figures: Figures | undefined, loadMs: number | null): void {
  run.promptCounts.push(figures?.prompt_eval_count ?? null);
  if (!figures) {
    run.refused++;
    return;
  }
  if (loadMs !== null) {
    run.loads++;
    run.loadMs += loadMs;
  }
  run.promptTokens += figures.prompt_eval_count ?? 0;
  if (figures.prompt_eval_cached_count !== undefined) {
    run.cachedTokens = (run.cachedTokens ?? 0) + figures.prompt_eval_cached_count;
  }
  run.decision = figures.optimizer ?? null;
  const retries = figures.optimizer?.outcome?.retries ?? 0;
  run.refused += retries;
  run.retried += retries;
}

/**
 * Tells loads from warm calls: the first of an unloaded model, another window, or a `load_duration` of at least half
 * the shortest of those. Warm calls report 1 to 110 ms, more on a busy machine, loads 260 ms and more.
 */
class Loads {
  private shortestMs = Number.POSITIVE_INFINITY;
  private numCtx: number | null = null;

  isLoad(loadMs: number, numCtx: number | null): boolean {
    const isCertain = this.shortestMs === Number.POSITIVE_INFINITY || numCtx !== this.numCtx;
    const isLoad = isCertain || loadMs > this.shortestMs / 2;
    if (isCertain) this.shortestMs = Math.min(this.shortestMs, loadMs);
    this.numCtx = numCtx;
    return isLoad;
  }
}

/** ChatOllama hears an abort only with the next piece of its reply. */
async function unlessAborted<T>(reply: Promise<T>, signal: AbortSignal): Promise<T> {
  let abort = (): void => {};
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
  });
  try {
    return await Promise.race([reply, aborted]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

/** undefined for a prompt that the server, or the optimizer before it, refused as too long. */
async function unlessRefused<T>(reply: Promise<T>): Promise<T | undefined> {
  try {
    return await reply;
  } catch (error) {
    const { status_code: status, name } = error as { readonly status_code?: number; readonly name?: string };
    if (status === 400 || name === "ContextOverflowError") return undefined;
    throw error;
  }
}

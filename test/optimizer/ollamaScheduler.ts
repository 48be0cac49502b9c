/**
 * Ollama's rule of when a request reloads the model (`server/sched.go`, needsReload): every runner option is
 * compared, left out ones with their defaults, the window after it was clamped to the trained one.
 */
import type { RunnerOptions } from "../../src/records.js";

type Runner = { readonly [name in keyof RunnerOptions]-?: RunnerOptions[name] | null };

/** Left out, `main_gpu` differs from 0 and `use_mmap` from true: both reload (measured on 0.24.0 and 0.34.0). */
const DEFAULTS: Runner = {
  num_ctx: 4096,
  num_batch: 512,
  num_gpu: -1,
  main_gpu: null,
  use_mmap: null,
  num_thread: 0,
};

export class OllamaScheduler {
  loaded: Runner | null = null;
  loads = 0;

  constructor(private readonly trainedNumCtx: number) {}

  /** @returns whether the request loaded the model anew */
  request(options: RunnerOptions): boolean {
    const sent = { ...DEFAULTS, ...options };
    const wanted: Runner = {
      ...sent,
      num_ctx: Math.min(sent.num_ctx!, this.trainedNumCtx),
      // A negative num_gpu accepts what is loaded.
      num_gpu: this.loaded && sent.num_gpu! < 0 ? this.loaded.num_gpu : sent.num_gpu,
    };
    if (this.loaded && JSON.stringify(wanted) === JSON.stringify(this.loaded)) return false;
    this.loaded = wanted;
    this.loads++;
    return true;
  }

  unload(): void {
    this.loaded = null;
  }
}

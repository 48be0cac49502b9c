/**
 * Ollama's rule of when a request reloads the model (`server/sched.go`, needsReload): every runner option is
 * compared, left out ones with their defaults, the window after it was clamped to the trained one.
 */
import type { RunnerOptions } from "../../src/records.js";

const DEFAULTS: Required<RunnerOptions> = {
  num_ctx: 4096,
  num_batch: 512,
  num_gpu: -1,
  main_gpu: 0,
  use_mmap: true,
  num_thread: 0,
};

export class OllamaScheduler {
  loaded: Required<RunnerOptions> | null = null;
  loads = 0;

  constructor(private readonly trainedNumCtx: number) {}

  /** @returns whether the request loaded the model anew */
  request(options: RunnerOptions): boolean {
    const wanted = { ...DEFAULTS, ...options };
    wanted.num_ctx = Math.min(wanted.num_ctx, this.trainedNumCtx);
    // A negative num_gpu accepts what is loaded.
    if (wanted.num_gpu < 0 && this.loaded) wanted.num_gpu = this.loaded.num_gpu;
    if (this.loaded && JSON.stringify(wanted) === JSON.stringify(this.loaded)) return false;
    this.loaded = wanted;
    this.loads++;
    return true;
  }

  unload(): void {
    this.loaded = null;
  }
}

/** One model of one server, loaded and asked on purpose: every call says exactly which runner it wants. */
import { loadedModels, post, type ServerAddress } from "../backend/ollama.js";
import { upstreamError } from "../backend/refusal.js";
import { readBody } from "../backend/transport.js";
import type { WireChunk } from "../backend/wire.js";
import { OptimizerError } from "../errors.js";
import type { MemoryPoint } from "../optimizer/memoryModel.js";
import type { RunnerOptions } from "../records.js";

/** A load and what it took. */
export interface Load extends MemoryPoint {
  /** The server's `load_duration`, milliseconds. */
  readonly loadMs: number;
}

/** A prompt that was read. Durations in milliseconds. */
export interface Reading {
  /** Tokens that were worked on: those from the cache are left out where the server tells (0.33.3 and later). */
  readonly tokens: number;
  readonly promptMs: number;
  readonly loadMs: number;
}

/** Another client may load its own window between our load and our look; so often it is tried again. */
const TRIES = 3;

export class ModelRunner {
  constructor(
    private readonly server: ServerAddress,
    private readonly model: string,
    /** Names and digests under which `/api/ps` may list the runner: models of one blob share it. */
    private readonly isOurs: (entry: { readonly name: string; readonly digest: string }) => boolean,
    private readonly signal: AbortSignal,
  ) {}

  /**
   * Loads the model with exactly these options.
   *
   * @throws UpstreamError `OUT_OF_MEMORY` and what else a server says
   * @throws OptimizerError `MODEL_IN_USE`
   */
  async load(options: RunnerOptions): Promise<Load> {
    for (let tries = 0; tries < TRIES; tries++) {
      // A preload (no prompt) does not tell its load_duration.
      const reply = await this.generate("a", options);
      const entry = (await loadedModels(this.server, this.signal)).find(this.isOurs);
      if (reply && entry && (entry.context_length ?? options.num_ctx) === options.num_ctx) {
        return {
          numCtx: options.num_ctx!,
          numBatch: options.num_batch ?? null,
          sizeBytes: entry.size,
          vramBytes: entry.size_vram,
          loadMs: milliseconds(reply.load_duration),
        };
      }
    }
    throw inUse(this.model);
  }

  /**
   * Reads a prompt as it is, without the model's template, and has one token answered.
   *
   * @returns null when the reply came without its figures (0.34.0, when the one token is no whole character)
   * @throws UpstreamError
   */
  async read(prompt: string, options: RunnerOptions): Promise<Reading | null> {
    const reply = await this.generate(prompt, options);
    return (
      reply && {
        tokens: (reply.prompt_eval_count ?? 0) - (reply.prompt_eval_cached_count ?? 0),
        promptMs: milliseconds(reply.prompt_eval_duration),
        loadMs: milliseconds(reply.load_duration),
      }
    );
  }

  private async generate(prompt: string, options: RunnerOptions): Promise<WireChunk | null> {
    const { server, model, signal } = this;
    const body = {
      model,
      prompt,
      raw: true,
      stream: false,
      truncate: false,
      options: { ...options, num_predict: 1, temperature: 0 },
    };
    const reply = await post(server, "/api/generate", body, signal);
    const text = new TextDecoder().decode(await readBody(reply));
    if (reply.status >= 400) throw upstreamError(reply.status, text, model);
    const chunk = JSON.parse(text) as WireChunk;
    return chunk.prompt_eval_duration ? chunk : null;
  }
}

/** Measured values would be another program's. */
export function inUse(model: string): OptimizerError {
  return new OptimizerError({
    code: "MODEL_IN_USE",
    message: `Another program keeps loading ${model} with other options`,
    remedy: "Stop it while this runs; `doctor` tells which windows it loads.",
  });
}

function milliseconds(nanoseconds: number | undefined): number {
  return (nanoseconds ?? 0) / 1e6;
}

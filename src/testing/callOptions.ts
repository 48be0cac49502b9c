/** The `options` of a call laid over the model's parameters and the server's defaults. */
import type { RunnerOptions } from "../records.js";
import type { Generation } from "./generation.js";
import { Refusal } from "./goJson.js";
import type { ServedModel } from "./model.js";
import { automaticBatch, effectiveWindow } from "./windows.js";

/** Options that reload the model when they change, in Ollama's struct `Runner`, and the rest. Types as Go has them. */
const types: Readonly<Record<string, "integer" | "boolean" | "float32" | "array">> = {
  num_ctx: "integer",
  num_batch: "integer",
  num_gpu: "integer",
  main_gpu: "integer",
  num_thread: "integer",
  use_mmap: "boolean",
  draft_num_predict: "integer",
  num_keep: "integer",
  seed: "integer",
  num_predict: "integer",
  top_k: "integer",
  repeat_last_n: "integer",
  top_p: "float32",
  min_p: "float32",
  typical_p: "float32",
  temperature: "float32",
  repeat_penalty: "float32",
  presence_penalty: "float32",
  frequency_penalty: "float32",
  stop: "array",
};

/** What a call asks of the scheduler. */
export interface WantedRunner {
  /** `num_ctx` as asked for, at least 4, not yet clamped to the trained window. */
  readonly numCtx: number;
  /** Nobody set it: not the call (not even to null), not the model, not the server. */
  readonly numCtxAuto: boolean;
  readonly numBatch: number;
  readonly numBatchAuto: boolean;
  /** -1 is "as many layers as fit": a wildcard. */
  readonly numGpu: number;
  readonly mainGpu: number;
  readonly useMmap: boolean | null;
  readonly numThread: number;
  readonly draftNumPredict: number;
  readonly shift: boolean;
}

/** Merged options, nulls left out as Go's FromMap does. */
export type CallOptions = Readonly<Record<string, unknown>>;

/**
 * @throws Refusal 500 `option "num_ctx" must be of type integer`
 */
export function mergeOptions(model: ServedModel, requested: Readonly<Record<string, unknown>>): CallOptions {
  const merged: Record<string, unknown> = {};
  for (const [name, value] of [...Object.entries(model.parameters), ...Object.entries(requested)]) {
    const type = types[name];
    if (type === undefined || value === null) continue;
    const fits =
      type === "array" ? Array.isArray(value) : typeof value === (type === "boolean" ? "boolean" : "number");
    if (!fits) throw new Refusal(500, `option "${name}" must be of type ${type}`);
    merged[name] = type === "integer" ? Math.trunc(value as number) : value;
  }
  return merged;
}

/**
 * @param defaultNumCtx the server's default window
 * @param defaultIsSet it was set by a person (`OLLAMA_CONTEXT_LENGTH`), which makes it explicit
 */
export function wantedRunner(
  model: ServedModel,
  requested: Readonly<Record<string, unknown>>,
  server: { readonly defaultNumCtx: number; readonly defaultIsSet: boolean; readonly generation: Generation },
  shift: boolean | undefined,
): WantedRunner {
  const options = mergeOptions(model, requested);
  const integer = (name: string): number | undefined => options[name] as number | undefined;
  const named = (name: string): boolean => name in requested || name in model.parameters;
  const minimum = model.capabilities.includes("vision") ? 2048 : 4;
  const numCtx = Math.max(integer("num_ctx") ?? server.defaultNumCtx, minimum);
  const embeds = model.capabilities.includes("embedding");
  const window = effectiveWindow(numCtx, model.trainedNumCtx);
  return {
    numCtx,
    numCtxAuto: !named("num_ctx") && !server.defaultIsSet,
    numBatch: integer("num_batch") ?? (embeds ? automaticBatch(window, server.generation, true) : 512),
    numBatchAuto: !named("num_batch") && !embeds,
    numGpu: integer("num_gpu") ?? -1,
    mainGpu: integer("main_gpu") ?? 0,
    useMmap: (options.use_mmap as boolean | undefined) ?? null,
    numThread: integer("num_thread") ?? 0,
    draftNumPredict: integer("draft_num_predict") ?? 0,
    shift: shift ?? true,
  };
}

/**
 * Whether a loaded runner does not do. Any difference counts, also a smaller window: Ollama compares for
 * equality (`server/sched.go`, needsReload; a request for 2,048 on 4,096 reloads, measured on both generations).
 *
 * @param loaded what the runner was loaded with; on 0.30 and later its window is the clamped one
 */
export function needsReload(
  loaded: WantedRunner,
  wanted: WantedRunner,
  model: ServedModel,
  generation: Generation,
): boolean {
  const auto = generation.remembersAuto;
  const window = auto ? Math.min(wanted.numCtx, model.trainedNumCtx) : wanted.numCtx;
  const numCtxDiffers = !(auto && loaded.numCtxAuto && wanted.numCtxAuto) && window !== loaded.numCtx;
  const numBatchDiffers =
    !(auto && loaded.numBatchAuto && wanted.numBatchAuto) && wanted.numBatch !== loaded.numBatch;
  return (
    numCtxDiffers ||
    numBatchDiffers ||
    (wanted.numGpu >= 0 && wanted.numGpu !== loaded.numGpu) ||
    wanted.mainGpu !== loaded.mainGpu ||
    wanted.useMmap !== loaded.useMmap ||
    wanted.numThread !== loaded.numThread ||
    wanted.draftNumPredict !== loaded.draftNumPredict ||
    (generation.shiftReloads && wanted.shift !== loaded.shift)
  );
}

/** The runner options of a call in the shared vocabulary, for the log of loads. */
export function runnerOptions(wanted: WantedRunner): RunnerOptions {
  return {
    num_ctx: wanted.numCtx,
    num_batch: wanted.numBatch,
    num_gpu: wanted.numGpu,
    main_gpu: wanted.mainGpu,
    ...(wanted.useMmap === null ? {} : { use_mmap: wanted.useMmap }),
    num_thread: wanted.numThread,
  };
}

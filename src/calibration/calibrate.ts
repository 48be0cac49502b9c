/**
 * Measures one model on its real server: loads, memory, prompt rates, the largest window, the prefix cache. Bounded
 * in time; memory is looked at before each step that may need more; what was loaded before is loaded again in the
 * end, also after an abort or a failure.
 */
import { loadedModels, type ServerAddress } from "../backend/ollama.js";
import type { WireLoadedModel } from "../backend/wire.js";
import type { RunnerOptions } from "../records.js";
import type { Calibration } from "./calibration.js";
import { CalibrationRun, type RunContext } from "./calibrationRun.js";
import { chosenModel, namesOfBlob } from "./chosenModel.js";
import { ModelRunner } from "./modelRunner.js";
import { restore } from "./snapshot.js";

/** What a calibration needs of the world around it. */
export interface CalibrationOptions extends RunContext {
  readonly server: ServerAddress;
  /** With or without a tag. */
  readonly model: string;
  /** Runner options that the optimizer last sent to these weights: what is loaded may have them. */
  readonly lastOptions?: (blob: string) => RunnerOptions | undefined;
  readonly signal: AbortSignal;
}

/** Loads of large models from slow disks. */
const RESTORE_MS = 300_000;

/**
 * Measures a model.
 *
 * @throws OptimizerError `MODEL_NOT_FOUND` (naming the models there are), `MODEL_UNSUITABLE`, `MODEL_IN_USE`,
 * `MEMORY_SHORT`
 * @throws UpstreamError what the server says
 */
export async function calibrate(options: CalibrationOptions): Promise<Calibration> {
  const { server, signal, now } = options;
  const start = now();
  const { installed, facts, blob } = await chosenModel(server, options.model, signal);
  const before = await loadedModels(server, signal);
  const aliases = await namesOfBlob(server, before, blob, signal);
  const isOurs = ({ name, digest }: { readonly name: string; readonly digest: string }): boolean =>
    digest === installed.digest || aliases.has(name);
  const optionsOf = (entry: WireLoadedModel): RunnerOptions => {
    const window = entry.context_length === undefined ? {} : { num_ctx: entry.context_length };
    const last = isOurs(entry) ? options.lastOptions?.(blob) : undefined;
    return last?.num_ctx === entry.context_length ? { ...last, ...window } : window;
  };
  const runner = new ModelRunner(server, installed.name, isOurs, signal);
  const otherBytes = before.filter((entry) => !isOurs(entry)).reduce((bytes, { size }) => bytes + size, 0);
  const run = new CalibrationRun(options, installed, facts, runner, start);
  let notRestored: readonly string[] = [];
  try {
    await run.measure(before.some((entry) => isOurs(entry) || entry.size_vram > 0));
  } finally {
    options.onStep?.("putting back what was loaded", 1);
    notRestored = await restore(
      server,
      before,
      installed.name,
      optionsOf,
      now(),
      AbortSignal.timeout(RESTORE_MS),
    );
  }
  return { ...run.result(blob, otherBytes), notRestored, tookMs: now() - start };
}

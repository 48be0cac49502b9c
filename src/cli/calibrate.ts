/** `calibrate`: measures a model on its real server, and keeps what the optimizer decides by. */
import { type ServerAddress, serverVersion } from "../backend/ollama.js";
import { nodeTransport } from "../backend/transport.js";
import { calibrate } from "../calibration/calibrate.js";
import type { Calibration } from "../calibration/calibration.js";
import { profileOf } from "../calibration/evidence.js";
import { serverId } from "../engine/serverId.js";
import { profileId } from "../optimizer/profile.js";
import type { OptimizerStore } from "../storage/store.js";
import { calibrationReport } from "./calibrationReport.js";
import { EXIT, type Surroundings, usageError } from "./command.js";
import { readFlags, readNumber } from "./flags.js";
import { type Memory, machineMemory } from "./machineMemory.js";
import { DEFAULT_ORIGIN, isLocal, ollamaOrigin } from "./ollamaOrigin.js";
import { status } from "./status.js";
import { STORE_FLAGS, STORE_HELP, withStore } from "./storeAt.js";
import { styleFor } from "./style.js";

export const usage: string = `calibrate MODEL [options]

Measures MODEL on its server: how long loads take, memory by window and by batch, prompt tokens per second by batch,
the largest window before it spills or memory ends, what the prefix cache gains. The model is loaded about 20 times
meanwhile; what was loaded before is loaded again in the end, also after Ctrl-C. The optimizer decides by the result
from its next load on.

  --host URL      the server; default http://127.0.0.1:11434                           (OLLAMA_HOST)
  --seconds N     how long it may measure, default 110; more on a busy machine makes it surer
  --memory GIB    how much memory a server on another machine has free: without it no larger window is tried there
  --json          the result as JSON
  --dry-run       keep nothing
${STORE_HELP}

Examples:
  langchain-ollama-optimizer calibrate qwen3:4b
  langchain-ollama-optimizer calibrate llama3.1:70b --seconds 900
  langchain-ollama-optimizer calibrate qwen3:4b --host gpu-box:11434 --memory 24 --json
`;

const DEFAULT_SECONDS = "110";

/** @throws what {@link calibrate} and {@link withStore} throw, and OptimizerError `ARGUMENT_INVALID` */
export async function run(args: readonly string[], surroundings: Surroundings): Promise<number> {
  const { environment } = surroundings;
  const { values, positionals } = readFlags(args, {
    ...STORE_FLAGS,
    host: { type: "string" },
    seconds: { type: "string", default: DEFAULT_SECONDS },
    memory: { type: "string" },
    json: { type: "boolean" },
    "dry-run": { type: "boolean" },
  });
  const [model, ...others] = positionals;
  if (model === undefined || others.length > 0) {
    throw usageError(
      model === undefined ? "No model was named" : "More than one model was named",
      "Name one of `ollama list`.",
    );
  }
  const origin = ollamaOrigin(values.host ?? (environment.OLLAMA_HOST || DEFAULT_ORIGIN));
  const budgetMs = 1000 * readNumber("--seconds", values.seconds, { least: 5, most: 86_400 });
  const memory = memoryOf(origin, values.memory);
  const isDry = values["dry-run"] ?? false;
  const asked = { model, origin, budgetMs, memory, isDry, isJson: values.json ?? false };
  // Opened before anything is measured: a store that cannot be used shall not cost two minutes.
  await withStore(values, surroundings, (store) => measure(asked, store, surroundings), { create: !isDry });
  return EXIT.ok;
}

interface Asked {
  readonly model: string;
  readonly origin: string;
  readonly budgetMs: number;
  readonly memory: () => Memory | null;
  /** Nothing is kept. */
  readonly isDry: boolean;
  readonly isJson: boolean;
}

async function measure(
  { model, origin, budgetMs, memory, isDry, isJson }: Asked,
  store: OptimizerStore,
  { environment, out, err, signal }: Surroundings,
): Promise<void> {
  const server: ServerAddress = { origin, transport: nodeTransport };
  const shown = status(err);
  try {
    const version = await serverVersion(server, signal);
    const result = await calibrate({
      server,
      model,
      lastOptions: (blob) => store.get("profiles", idOf(origin, blob))?.lastOptions,
      budgetMs,
      memory,
      now: Date.now,
      random: Math.random,
      signal,
      onStep: (step, share) => shown.show(step, share),
    });
    shown.end();
    let kept: string | null = null;
    try {
      if (!isDry) {
        await keep(store, origin, version, result);
        kept = store.location;
      }
    } finally {
      // Also when it cannot be kept: it was measured for two minutes.
      out.write(
        isJson
          ? `${JSON.stringify({ ...result, server: origin, version }, null, 2)}\n`
          : calibrationReport(result, version, kept, styleFor(out, environment)),
      );
    }
  } finally {
    shown.end();
  }
}

const idOf = (origin: string, blob: string): string => profileId({ serverId: serverId(origin), blob });

async function keep(
  store: OptimizerStore,
  origin: string,
  version: string,
  result: Calibration,
): Promise<void> {
  const before = store.get("profiles", idOf(origin, result.blob));
  await store.merge("profiles", profileOf(result, serverId(origin), version, before, Date.now()));
}

/** Another machine's memory is as free as its owner says, and what is loaded meanwhile counts as part of it. */
function memoryOf(origin: string, gibibytes: string | undefined): () => Memory | null {
  if (gibibytes !== undefined) {
    const bytes = 2 ** 30 * readNumber("--memory", gibibytes, { least: 0.1, most: 1_048_576 });
    return () => ({ freeBytes: bytes, totalBytes: bytes });
  }
  return isLocal(origin) ? machineMemory : () => null;
}

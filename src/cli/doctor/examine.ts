/** Looks at a server, this machine and the store, and says what it found. */
import {
  installedModels,
  loadedModels,
  type ServerAddress,
  serverVersion,
  show,
} from "../../backend/ollama.js";
import { expectListeners } from "../../backend/sharedSignal.js";
import type { WireLoadedModel } from "../../backend/wire.js";
import { serverId } from "../../engine/serverId.js";
import { OptimizerError } from "../../errors.js";
import type { ProfileRecord } from "../../records.js";
import { withoutRemedy } from "../command.js";
import type { Memory } from "../machineMemory.js";
import { calibrationFindings } from "./calibrated.js";
import { clientFindings } from "./clients.js";
import { engineFindings } from "./engine.js";
import { type Finding, finding, TOPICS } from "./finding.js";
import { memoryFindings } from "./memory.js";
import { type KnownModel, loadedFindings, modelFindings } from "./models.js";
import { type LogFacts, readLog } from "./serverLog.js";
import type { StoreHealth } from "./store.js";
import { versionFindings } from "./version.js";

export interface Examination {
  readonly server: ServerAddress;
  readonly store: () => Promise<StoreHealth>;
  /** Text of the server's log; null when there is none to be read. */
  readonly log: string | null;
  /** null for a server on another machine. */
  readonly memory: Memory | null;
  /** How long to watch which windows are loaded, milliseconds. */
  readonly watchMs: number;
  readonly signal: AbortSignal;
  /** Told what is done now, and how far it is, 0 to 1. */
  readonly onStep?: (text: string, share: number) => void;
}

/** A server that says nothing for so long is not there. */
const ANSWER_MS = 5_000;
const LOOK_MS = 250;
/** Facts are asked for so many models; a machine with more is asked about the rest by name. */
const MOST_MODELS = 100;

/**
 * All findings, by topic. Never rejects for a server or a store that cannot be used: that is a finding.
 *
 * @throws the signal's reason
 */
export async function examine(examination: Examination): Promise<readonly Finding[]> {
  const { findings, profiles } = await examination.store();
  const server = await serverFindings(examination, profiles);
  return [...server, ...findings].sort((a, b) => TOPICS.indexOf(a.topic) - TOPICS.indexOf(b.topic));
}

async function serverFindings(
  { server, log, memory, watchMs, signal, onStep }: Examination,
  stored: readonly ProfileRecord[],
): Promise<readonly Finding[]> {
  const soon = (): AbortSignal => AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)]);
  let version: string;
  let models: readonly KnownModel[];
  onStep?.(`asking ${new URL(server.origin).host}`, 0);
  try {
    version = await serverVersion(server, soon());
    models = await knownModels(server, soon());
  } catch (error) {
    signal.throwIfAborted();
    return [unreachable(server, error), ...memoryFindings(memory, [])];
  }
  const facts = log === null ? null : ofThisServer(readLog(log), server);
  const looks = await watch(server, watchMs, signal, onStep);
  const profiles = stored.filter((profile) => profile.serverId === serverId(server.origin));
  return [
    ...versionFindings(version),
    ...modelFindings(models),
    ...engineFindings(facts),
    ...loadedFindings(looks.at(-1) ?? []),
    ...memoryFindings(memory, models),
    ...calibrationFindings(models, profiles, version),
    ...clientFindings({ looks, log: facts, profiles }),
  ];
}

async function knownModels(server: ServerAddress, signal: AbortSignal): Promise<readonly KnownModel[]> {
  const installed = await installedModels(server, signal);
  expectListeners(signal);
  return Promise.all(
    installed.map(async (model, index) => ({
      model,
      facts: index < MOST_MODELS ? await show(server, model.name, signal).catch(() => null) : null,
    })),
  );
}

function unreachable({ origin }: ServerAddress, error: unknown): Finding {
  if (OptimizerError.isInstance(error)) {
    const isSilent = error.code === "SERVER_UNREACHABLE";
    return finding(
      "server",
      "error",
      withoutRemedy(error),
      isSilent ? "Start it with `ollama serve`, or say where it runs: --host or OLLAMA_HOST." : error.remedy,
    );
  }
  return finding(
    "server",
    "error",
    `What answers at ${new URL(origin).origin} is no Ollama, or too slow: ${error instanceof Error ? error.message : String(error)}.`,
    "Name the right server with --host or OLLAMA_HOST.",
  );
}

/** A machine may run several servers; the log of another one says nothing about this one. */
function ofThisServer(facts: LogFacts, { origin }: ServerAddress): LogFacts | null {
  const { port, protocol } = new URL(origin);
  const own = Number(port || (protocol === "https:" ? 443 : 80));
  return facts.port === null || facts.port === own ? facts : null;
}

/** What `/api/ps` shows over a while; programs that fight over a window change it. */
async function watch(
  server: ServerAddress,
  watchMs: number,
  signal: AbortSignal,
  onStep: Examination["onStep"],
): Promise<readonly (readonly WireLoadedModel[])[]> {
  const looks: WireLoadedModel[][] = [];
  for (let waited = 0; ; waited += LOOK_MS) {
    looks.push(await loadedModels(server, signal).catch(() => []));
    if (waited >= watchMs) return looks;
    onStep?.("watching which windows are loaded", waited / watchMs);
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    signal.throwIfAborted();
  }
}

/** Where the demo runs: the Ollama that is there, or a small real engine in this process. */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { installedModels, loadedModels, post, type ServerAddress, show } from "../backend/ollama.js";
import { upstreamError } from "../backend/refusal.js";
import { nodeTransport, readBody } from "../backend/transport.js";
import type { WireLoadedModel, WireModel } from "../backend/wire.js";
import { OptimizerError } from "../errors.js";
import { llamaEngine, startOllamaServer } from "../testing/index.js";
import { DEFAULT_ORIGIN, ollamaOrigin } from "./ollamaOrigin.js";
import type { Output } from "./terminal.js";

export interface DemoServer {
  readonly address: ServerAddress;
  readonly model: string;
  close(): Promise<void>;
}

export interface Choice {
  /** As Ollama reads `OLLAMA_HOST`: host, port or URL. */
  readonly host: string | undefined;
  readonly model: string | undefined;
  readonly embedded: boolean;
}

const SEARCH_MS = 3_000;
const UNLOAD_MS = 20_000;

/**
 * The Ollama at `host` with the named or its smallest model; without such a server, an embedded one.
 *
 * @throws OptimizerError `OPTION_INVALID`, `MODEL_NOT_FOUND`, `MODEL_UNSUITABLE`, `SERVER_UNREACHABLE` (when a model was named),
 * `ENGINE_MISSING`
 */
export async function demoServer(choice: Choice, out: Output, signal: AbortSignal): Promise<DemoServer> {
  if (choice.embedded) return embeddedServer(out, signal);
  const address = { origin: ollamaOrigin(choice.host || DEFAULT_ORIGIN), transport: nodeTransport };
  let installed: WireModel[];
  try {
    installed = await installedModels(address, AbortSignal.any([signal, AbortSignal.timeout(SEARCH_MS)]));
  } catch (error) {
    signal.throwIfAborted();
    if (choice.model) throw error;
    out.write(`No Ollama answers at ${address.origin}.\n`);
    return embeddedServer(out, signal);
  }
  const model = await chooseModel(address, installed, choice.model, signal);
  if (!model) {
    out.write(`The Ollama at ${address.origin} has no model that can chat.\n`);
    return embeddedServer(out, signal);
  }
  const which = choice.model ? "" : ", the smallest there (--model NAME takes another)";
  out.write(`Ollama at ${address.origin}, model ${model.name}${which}.\n`);
  return { address, model: model.name, close: async () => {} };
}

async function chooseModel(
  address: ServerAddress,
  installed: readonly WireModel[],
  wanted: string | undefined,
  signal: AbortSignal,
): Promise<WireModel | undefined> {
  const local = installed.filter((model) => !model.remote_host && !/[:-]cloud$/.test(model.name));
  if (wanted) {
    const found = local.find(({ name }) => name === wanted || name === `${wanted}:latest`);
    if (!found) throw notFound(wanted, address, local);
    if (await canChat(address, found, signal)) return found;
    throw new OptimizerError({
      code: "MODEL_UNSUITABLE",
      message: `The model ${wanted} does not answer prompts`,
      remedy: "Name one whose `ollama show` lists the capability completion.",
    });
  }
  for (const model of local.toSorted((a, b) => (a.size ?? 0) - (b.size ?? 0))) {
    if (await canChat(address, model, signal)) return model;
  }
  return undefined;
}

/** Servers before 0.6.4 do not tell capabilities; their models are taken to chat. */
async function canChat(address: ServerAddress, model: WireModel, signal: AbortSignal): Promise<boolean> {
  const { capabilities } = await show(address, model.name, signal);
  return capabilities?.includes("completion") ?? true;
}

function notFound(wanted: string, { origin }: ServerAddress, local: readonly WireModel[]): OptimizerError {
  const names = local.map(({ name }) => name).join(", ") || "none";
  return new OptimizerError({
    code: "MODEL_NOT_FOUND",
    message: `The Ollama at ${origin} has no model ${wanted}; it has: ${names}`,
    remedy: `Run \`ollama pull ${wanted}\`, or name another with --model.`,
  });
}

async function embeddedServer(out: Output, signal: AbortSignal): Promise<DemoServer> {
  await installEngine(out, signal);
  const server = await startOllamaServer({ engine: llamaEngine(), models: [{ name: "tiny" }] });
  out.write(
    `Started a server in this process at ${server.origin}: real inference by llama.cpp on the CPU, a generated\n` +
      "model of 13 MB with random weights. What it says is nonsense; windows, loads, memory and times are real.\n",
  );
  const address = { origin: server.origin, transport: nodeTransport };
  const [model] = await installedModels(address, signal);
  return { address, model: model!.name, close: () => server.close() };
}

/** The script does nothing when the engine is there; it is not part of the published package. */
async function installEngine(out: Output, signal: AbortSignal): Promise<void> {
  const script = fileURLToPath(new URL("../../scripts/installEngine.mjs", import.meta.url));
  if (!existsSync(script)) return;
  out.write("Looking for the small engine; the first time it is installed (85 MB).\n");
  const code = await new Promise<number | null>((resolve, reject) => {
    const child = spawn(process.execPath, [script], { signal, stdio: ["ignore", "ignore", "inherit"] });
    child.once("error", reject);
    child.once("exit", resolve);
  });
  if (code === 0) return;
  throw new OptimizerError({
    code: "ENGINE_MISSING",
    message: "The small engine could not be installed",
    remedy: "Start an Ollama that has a model, or see to it that npm reaches its registry.",
  });
}

/** What the server shows of a loaded model; undefined when it is not loaded. */
export async function loadedAs(
  { address, model }: Pick<DemoServer, "address" | "model">,
  signal: AbortSignal,
): Promise<WireLoadedModel | undefined> {
  return (await loadedModels(address, signal)).find(({ name }) => name === model);
}

/** Size in bytes of the model with the smallest window that engines take: what its weights need in any case. */
export async function smallestBytes(server: DemoServer, signal: AbortSignal): Promise<number> {
  await generate(server, { prompt: "a", options: { num_ctx: 256, num_predict: 1 } }, signal);
  return (await loadedAs(server, signal))?.size ?? 0;
}

/**
 * Takes the model out of memory and waits until it is gone.
 *
 * @throws OptimizerError `MODEL_IN_USE`
 */
export async function unload(server: DemoServer, signal: AbortSignal): Promise<void> {
  const end = performance.now() + UNLOAD_MS;
  await generate(server, { keep_alive: 0 }, signal);
  while (await loadedAs(server, signal)) {
    if (performance.now() > end) {
      throw new OptimizerError({
        code: "MODEL_IN_USE",
        message: `The model ${server.model} stays loaded: another program seems to use it`,
        remedy: "Stop that program, or name another model with --model.",
      });
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function generate({ address, model }: DemoServer, body: object, signal: AbortSignal): Promise<void> {
  const reply = await post(address, "/api/generate", { model, stream: false, ...body }, signal);
  const text = new TextDecoder().decode(await readBody(reply));
  if (reply.status >= 400) throw upstreamError(reply.status, text, model);
}

/** The server itself: options, HTTP, and what a test may look at afterwards. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { OptimizerError } from "../errors.js";
import { asRefusal, failedEarly } from "./calls.js";
import { type Clock, systemClock } from "./clock.js";
import { embed } from "./embedRoute.js";
import type { Engine } from "./engine.js";
import { Exchange, type ReceivedRequest, readText } from "./exchange.js";
import { type Failure, Failures } from "./failures.js";
import { chat, generate } from "./generateRoutes.js";
import { generationOf } from "./generation.js";
import { ps, show, tags, version } from "./listRoutes.js";
import { servedModel, type TestModel } from "./model.js";
import { type Load, Scheduler } from "./scheduler.js";
import { scriptedEngine } from "./scriptedEngine.js";
import type { ServerState } from "./serverState.js";

/** Everything has a default: one model named "tiny" on the newest known version. */
export interface OllamaServerOptions {
  /** Whose behaviour; default "0.34.0". "0.24.0" is the generation before llama-server, "0.12.0" ignores `truncate`. */
  readonly version?: string;
  /** What `/api/version` answers, where it shall differ: servers built from source say "0.0.0". */
  readonly reportedVersion?: string;
  readonly models?: readonly TestModel[];
  /** Default: a scripted engine that says "ok". */
  readonly engine?: Engine;
  readonly clock?: Clock;
  /** Waits as long as the durations say. Default false: replies are immediate, durations computed. */
  readonly realTime?: boolean;
  /** Main memory in bytes; default 64 GiB. */
  readonly memoryBytes?: number;
  /** GPU memory in bytes; default 0, a CPU machine. */
  readonly vramBytes?: number;
  /** How long loads take, in milliseconds; default 300. */
  readonly loadMs?: number;
  /** `OLLAMA_CONTEXT_LENGTH`. Unset: by GPU memory as Ollama does, 4,096 below 23 GiB. */
  readonly defaultNumCtx?: number;
  /** Default 0: any free port. */
  readonly port?: number;
}

/** A loaded model as the server sees it. */
export interface LoadedModel {
  readonly name: string;
  readonly blob: string;
  readonly numCtx: number;
  readonly numBatch: number;
  readonly sizeBytes: number;
  readonly vramBytes: number;
  /** Milliseconds since 1970, Infinity for ever. */
  readonly expiresAt: number;
  /** Calls that use it now. */
  readonly users: number;
}

/** A running server. */
export interface OllamaServer {
  /** e.g. "http://127.0.0.1:40123" */
  readonly origin: string;
  /** Every request so far, oldest first. */
  readonly requests: readonly ReceivedRequest[];
  /** Every load so far: the first of a model and each reload. */
  readonly loads: readonly Load[];
  /** What is loaded now. */
  state(): readonly LoadedModel[];
  /** Lets a later call fail. Several wait in line. */
  failNext(failure: Failure): void;
  /** Forgets faults that have not happened. */
  clearFailures(): void;
  /** Ends all connections and frees the engine. */
  close(): Promise<void>;
  /** The same as {@link close}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void>;
}

const gibibyte = 2 ** 30;

/**
 * Starts an Ollama-compatible server in this process, on 127.0.0.1.
 *
 * @throws OptimizerError `TEST_MODEL_INVALID`, `TEST_PORT_TAKEN`
 * @example
 * const server = await startOllamaServer({
 *   version: "0.24.0",
 *   models: [{ name: "tiny", trainedNumCtx: 8192 }],
 *   engine: scriptedEngine({ reply: "four" }),
 * });
 * const model = new ChatOllama({ baseUrl: server.origin, model: "tiny" });
 * await model.invoke("2 + 2?"); // content "four"
 * server.loads.length // 1
 * await server.close();
 */
export async function startOllamaServer(options: OllamaServerOptions = {}): Promise<OllamaServer> {
  const state = await serverState(options);
  const requests: ReceivedRequest[] = [];
  const server = createServer((request, response) => {
    void handle(state, requests, request, response);
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", (cause) =>
      reject(
        new OptimizerError({
          code: "TEST_PORT_TAKEN",
          message: `The test server cannot listen on port ${options.port ?? 0}`,
          remedy: "Leave the port out to get a free one.",
          cause,
        }),
      ),
    );
    server.listen(options.port ?? 0, "127.0.0.1", resolve);
  });
  const close = async (): Promise<void> => {
    server.closeAllConnections();
    await new Promise<void>((resolve) => server.close(() => resolve()));
    await state.scheduler.close();
    await state.engine.close?.();
  };
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    loads: state.scheduler.loads,
    state: () =>
      state.scheduler.loaded().map((slot) => ({
        name: slot.model.name,
        blob: slot.model.blob,
        numCtx: slot.numCtx,
        numBatch: slot.numBatch,
        ...slot.placement,
        expiresAt: slot.expiresAt,
        users: slot.users,
      })),
    failNext: (failure) => state.failures.add(failure),
    clearFailures: () => state.failures.clear(),
    close,
    [Symbol.asyncDispose]: close,
  };
}

async function serverState(options: OllamaServerOptions): Promise<ServerState> {
  const generation = generationOf(options.version ?? "0.34.0");
  const engine = options.engine ?? scriptedEngine();
  const clock = options.clock ?? systemClock;
  const vramBytes = options.vramBytes ?? 0;
  const described = await engine.describe?.();
  const models = (options.models ?? [{ name: "tiny" }]).map((model) => ({
    ...servedModel(model, options.loadMs ?? 300),
    ...described,
  }));
  const memoryBytes = options.memoryBytes ?? 64 * gibibyte;
  return {
    models,
    engine,
    scheduler: new Scheduler({ engine, generation, clock, memoryBytes, vramBytes }),
    failures: new Failures(),
    generation,
    version: options.reportedVersion ?? options.version ?? "0.34.0",
    clock,
    realTime: options.realTime ?? false,
    defaultNumCtx: options.defaultNumCtx ?? defaultWindow(vramBytes),
    defaultIsSet: options.defaultNumCtx !== undefined,
    answered: 0,
    toolCalls: 0,
  };
}

/** `server/routes.go` since 0.15.5. */
function defaultWindow(vramBytes: number): number {
  return vramBytes >= 47 * gibibyte ? 262_144 : vramBytes >= 23 * gibibyte ? 32_768 : 4096;
}

type Handler = (state: ServerState, exchange: Exchange) => void | Promise<void>;

const alive: Handler = (_, exchange) => exchange.plain(200, "Ollama is running", "text/plain; charset=utf-8");

const routes: Readonly<Record<string, Readonly<Record<string, Handler>>>> = {
  "/": { GET: alive, HEAD: alive },
  "/api/version": { GET: version, HEAD: version },
  "/api/tags": { GET: tags, HEAD: tags },
  "/api/ps": { GET: ps },
  "/api/show": { POST: show },
  "/api/chat": { POST: chat },
  "/api/generate": { POST: generate },
  "/api/embed": { POST: embed },
};

async function handle(
  state: ServerState,
  requests: ReceivedRequest[],
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const path = new URL(request.url ?? "/", "http://localhost").pathname;
  const method = request.method ?? "GET";
  const at = state.clock.now();
  let text: string;
  try {
    text = await readText(request);
  } catch {
    return; // The client left while it was still sending.
  }
  const entry: ReceivedRequest = { method, path, body: parsed(text), at };
  requests.push(entry);
  const exchange = new Exchange(entry, text, response);
  const byMethod = routes[path];
  const handler = byMethod?.[method];
  if (!byMethod) return exchange.plain(404, "404 page not found");
  if (!handler) return exchange.plain(405, "405 method not allowed");
  try {
    if (await failedEarly(state, exchange)) return;
    await handler(state, exchange);
  } catch (error) {
    const refusal = asRefusal(error);
    if (exchange.signal.aborted) return;
    if (exchange.begun) return exchange.destroy();
    exchange.json(refusal?.status ?? 500, { error: refusal?.message ?? String(error) });
  }
}

function parsed(text: string): unknown {
  try {
    return text === "" ? undefined : JSON.parse(text);
  } catch {
    return text;
  }
}

/** `serve`: Ollama's API on another port, with the window decided. */
import { isAbsolute } from "node:path";
import { setFlagsFromString } from "node:v8";
import { Engine } from "../engine/engine.js";
import { OptimizerError } from "../errors.js";
import type { Logger } from "../logger.js";
import { createServerApp, listen } from "../server/index.js";
import { storeOf } from "../storage/storeOf.js";
import { EXIT, type Surroundings } from "./command.js";
import { isLocal } from "./ollamaOrigin.js";
import { type OpenedCache, openCache } from "./openCache.js";
import { costOf, readPrices } from "./pricesFile.js";
import { type ServeOptions, type ServeSettings, serveOptions } from "./serveOptions.js";
import { connected, isOnServer, type Opened, withoutCredentials } from "./storeAt.js";

export const SERVE_USAGE = `serve [options]

Ollama's API at http://127.0.0.1:11435, with the window of each call decided. Point any Ollama client to it.

  --port N            default 11435; 0 takes a free one                    (OPTIMIZER_PORT)
  --address A         default 127.0.0.1; others need a token               (OPTIMIZER_ADDRESS)
  --upstream URL      default http://127.0.0.1:11434                       (OLLAMA_HOST)
  --store PLACE       a folder, redis://... or postgres://...              (OPTIMIZER_STORE)
  --prefix TEXT       of the keys or tables on a server                    (OPTIMIZER_PREFIX)
  --allow-host NAME   a name that clients use for this server, repeatable  (OPTIMIZER_ALLOW_HOST)
  --body-limit N      MiB, default 32                                      (OPTIMIZER_BODY_LIMIT)
  --max-waiting N     calls that may wait for one model, default 512       (OPTIMIZER_MAX_WAITING)
  --max-wait N        seconds that a call may wait, default 300            (OPTIMIZER_MAX_WAIT)
  --cache PLACE       gives equal calls one reply: memory, folder (of the
                      store), redis://... or postgres://...                (OPTIMIZER_CACHE)
  --cache-ttl N       seconds, learned or forever, default 3600            (OPTIMIZER_CACHE_TTL)
  --cache-entries N   replies at most, default 1000                        (OPTIMIZER_CACHE_ENTRIES)
  --cache-size N      MiB at most, default 64                              (OPTIMIZER_CACHE_SIZE)
  --cache-sampled     at a temperature above 0 too                         (OPTIMIZER_CACHE_SAMPLED)
  --prices FILE       JSON, for /optimization/costs and the dashboard      (OPTIMIZER_PRICES)
  --override          decide the window even where a client sets one       (OPTIMIZER_OVERRIDE)
  --cut               let Ollama cut a prompt that fits no window          (OPTIMIZER_CUT)
  --allow-admin       let routes through that change models or accounts    (OPTIMIZER_ALLOW_ADMIN)
  --insecure          another address without a token                      (OPTIMIZER_INSECURE)
  --config FILE       JSON with the same options, e.g. {"bodyLimit": 64}   (OPTIMIZER_CONFIG)

Flags come before variables of the environment (true or false where a flag takes no value), and those before the file.
A token is read from OPTIMIZER_TOKEN only: other users of a machine can read its command lines.

Examples:
  langchain-ollama-optimizer serve
  langchain-ollama-optimizer serve --port 8080 --upstream http://gpu-box:11434
  OPTIMIZER_TOKEN=secret langchain-ollama-optimizer serve --address 0.0.0.0 --allow-host ollama.lan
`;

/** Nobody awaits what a call leaves behind: stored ten times a second it costs a tenth of what each call's own sync did. */
const GATHER_MS = 100;

/**
 * Serves until it is told to stop, then lets replies that run end.
 *
 * @returns the exit code 0
 * @throws OptimizerError `OPTION_INVALID`, `ARGUMENT_INVALID`, and what `listen` throws
 * @example process.exitCode = await serve(["--port", "8080"], { environment: process.env, out, err, signal });
 */
export async function serve(args: readonly string[], surroundings: Surroundings): Promise<number> {
  await run(serveOptions(args, surroundings.environment), surroundings);
  return EXIT.ok;
}

async function run(settings: ServeSettings, { out, err, signal }: Surroundings): Promise<void> {
  // V8 collects when the heap is twice what was in use: 60 MB more, for 4 % less processor time a call.
  setFlagsFromString("--heap-growing-percent=30");
  const { options, token } = settings;
  const prices = options.prices === undefined ? undefined : readPrices(options.prices);
  const logger = { warn: (text: string): void => void err.write(`${text}\n`) };
  const { store, end } = await storeFor(options, logger);
  const tokenizerFolder = isAbsolute(store.location) ? store.location : null;
  const engine = new Engine({ store, logger, tokenizerFolder });
  let cache: OpenedCache | null = null;
  try {
    cache = await openCache(options, store.location, options.prefix);
    const app = createServerApp({
      upstream: options.upstream,
      store,
      engine,
      token,
      allowAdmin: options.allowAdmin,
      hosts: options.allowHost,
      bodyLimitBytes: options.bodyLimit * 2 ** 20,
      maxWaiting: options.maxWaiting,
      maxWaitMs: options.maxWait * 1_000,
      override: options.override,
      onOverflow: options.cut ? "cut" : "error",
      cache: cache ? { ...cache.options, costOf: prices && costOf(prices) } : undefined,
      reporting: { prices },
      logger,
    });
    const { address, port, insecure } = options;
    const listener = await listen(app, { address, port, insecure, hasToken: token !== undefined });
    if (isItself(options, listener.origin)) {
      await listener.close();
      throw new OptimizerError({
        code: "OPTION_INVALID",
        message: `--upstream is this server's own address, by ${settings.sources.upstream}`,
        remedy: "Give the address of Ollama, e.g. --upstream http://127.0.0.1:11434.",
      });
    }
    out.write(`Listening at ${listener.origin}\n${described(settings, store.location)}`);
    const health = await app.request(`${listener.origin}/health`, { headers: authorization(token) });
    if (!health.ok) err.write("Ollama does not answer yet; calls work as soon as it does.\n");
    if (!signal.aborted) {
      await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
    }
    out.write("Stopping: replies that run may end.\n");
    await listener.close();
  } finally {
    await engine.close();
    await cache?.close();
    await store.close().finally(end);
  }
}

/** Unlike other commands, `serve` begins also while its store cannot be reached: what waits is stored then. */
async function storeFor({ store, prefix }: ServeOptions, logger: Logger): Promise<Opened> {
  if (store !== undefined && isOnServer(store)) return connected(store, prefix, logger);
  return { store: storeOf(store, logger, { gatherMs: GATHER_MS }), end: async () => {} };
}

const EVERYWHERE: ReadonlySet<string> = new Set(["localhost", "0.0.0.0", "::"]);

/** Whether calls would come back: OLLAMA_HOST is often set to this server, for Ollama's clients. */
function isItself({ upstream, address }: ServeOptions, origin: string): boolean {
  const above = new URL(upstream);
  const host = above.hostname.replace(/^\[|\]$/g, "");
  const isAnyOfOurs = isLocal(upstream) && [host, address].some((name) => EVERYWHERE.has(name));
  return above.port === new URL(origin).port && (host === address || isAnyOfOurs);
}

/** What is in force, and by what. Never the token or credentials in an address. */
function described({ options, sources, token }: ServeSettings, store: string): string {
  const shown: Readonly<Record<keyof ServeOptions, string>> = {
    port: String(options.port),
    address: options.address,
    upstream: options.upstream.replace(/\/\/[^/]*@/, "//"),
    store,
    prefix: options.prefix ?? "none",
    allowHost: options.allowHost.join(", ") || "none",
    bodyLimit: `${options.bodyLimit} MiB`,
    maxWaiting: `${options.maxWaiting} calls for each model`,
    maxWait: `${options.maxWait} s`,
    cache: withoutCredentials(options.cache),
    cacheTtl: typeof options.cacheTtl === "number" ? `${options.cacheTtl} s` : options.cacheTtl,
    cacheEntries: `${options.cacheEntries} replies`,
    cacheSize: `${options.cacheSize} MiB`,
    cacheSampled: `replies at a temperature above 0 are ${options.cacheSampled ? "kept" : "not kept"}`,
    prices: options.prices ?? "none",
    override: options.override ? "a client's own window is decided anew" : "a client's own window wins",
    cut: options.cut ? "a prompt that fits no window is cut" : "a prompt that fits no window is refused",
    allowAdmin: `routes that change models are ${options.allowAdmin ? "allowed" : "refused"}`,
    insecure: options.insecure ? "others may ask without a token" : "others need a token",
  };
  const rows = Object.entries(shown).map(
    ([key, value]) => `  ${key}: ${value} (${sources[key as keyof ServeOptions]})\n`,
  );
  return `${rows.join("")}  token: ${token === undefined ? "none" : "required (OPTIMIZER_TOKEN)"}\n`;
}

function authorization(token: string | undefined): Record<string, string> {
  return token === undefined ? {} : { authorization: `Bearer ${token}` };
}

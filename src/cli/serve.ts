/** `serve`: Ollama's API on another port, with the window decided. */
import { isAbsolute } from "node:path";
import { parseArgs } from "node:util";
import { Engine } from "../engine/engine.js";
import { OptimizerError } from "../errors.js";
import { createServerApp, listen } from "../server/index.js";
import { storeOf } from "../storage/storeOf.js";
import type { Surroundings } from "./demo.js";

export const SERVE_USAGE = `serve [options]

Ollama's API at http://127.0.0.1:11435, with the window of each call decided. Point any Ollama client to it.

  --port N            default 11435; 0 takes a free one                    (OPTIMIZER_PORT)
  --address A         default 127.0.0.1; others need a token               (OPTIMIZER_ADDRESS)
  --upstream URL      default http://127.0.0.1:11434                       (OLLAMA_HOST)
  --store FOLDER      what is learned; default your state folder           (OPTIMIZER_STORE)
  --allow-host NAME   a name that clients use for this server, repeatable
  --body-limit N      MiB, default 32
  --override          decide the window even where a client sets one
  --cut               let Ollama cut a prompt that fits no window, rather than refuse it
  --allow-admin       let routes through that change models or accounts
  --insecure          another address without a token

A token is read from OPTIMIZER_TOKEN only: other users of a machine can read its command lines.
`;

/** What `serve` was told, by flags before the environment before defaults. */
export interface ServeOptions {
  readonly port: number;
  readonly address: string;
  readonly upstream: string;
  /** undefined: the default folder. */
  readonly store: string | undefined;
  readonly hosts: readonly string[];
  readonly bodyLimitMiB: number;
  readonly override: boolean;
  readonly cut: boolean;
  readonly allowAdmin: boolean;
  readonly insecure: boolean;
  readonly token: string | undefined;
}

/**
 * Serves until it is told to stop, then lets replies that run end. Reports its errors by `err`.
 *
 * @returns the exit code: 0, or 1 after an error
 * @example process.exitCode = await serve(["--port", "8080"], { environment: process.env, out, err, signal });
 */
export async function serve(args: readonly string[], surroundings: Surroundings): Promise<number> {
  const { out, err, signal } = surroundings;
  try {
    if (args.includes("--help")) out.write(SERVE_USAGE);
    else await run(serveOptions(args, surroundings.environment), surroundings);
    return 0;
  } catch (error) {
    if (signal.aborted) return 0;
    if (!OptimizerError.isInstance(error)) throw error;
    err.write(`${error.code}: ${error.message}\n`);
    return 1;
  }
}

async function run(options: ServeOptions, { out, err, signal }: Surroundings): Promise<void> {
  const logger = { warn: (text: string): void => void err.write(`${text}\n`) };
  const store = storeOf(options.store, logger);
  const tokenizerFolder = isAbsolute(store.location) ? store.location : null;
  const engine = new Engine({ store, logger, tokenizerFolder });
  try {
    const app = createServerApp({
      upstream: options.upstream,
      store,
      engine,
      token: options.token,
      allowAdmin: options.allowAdmin,
      hosts: options.hosts,
      bodyLimitBytes: options.bodyLimitMiB * 2 ** 20,
      override: options.override,
      onOverflow: options.cut ? "cut" : "error",
      logger,
    });
    const listener = await listen(app, { ...options, hasToken: options.token !== undefined });
    out.write(`Listening at ${listener.origin}\n${described(options, store.location)}`);
    const health = await app.request(`${listener.origin}/health`, { headers: authorization(options.token) });
    if (!health.ok) err.write("Ollama does not answer yet; calls work as soon as it does.\n");
    if (!signal.aborted) {
      await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
    }
    out.write("Stopping: replies that run may end.\n");
    await listener.close();
  } finally {
    await engine.close();
    await store.close();
  }
}

/**
 * @throws OptimizerError `OPTION_INVALID`
 * @example serveOptions(["--port", "8080"], {}).port // 8080
 */
export function serveOptions(
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): ServeOptions {
  const flags = parsed(args);
  const text = (flag: string | undefined, name: string): string | undefined =>
    flag ?? (environment[name] || undefined);
  return {
    port: wholeNumber("port", text(flags.port, "OPTIMIZER_PORT") ?? "11435", 0, 65_535),
    address: text(flags.address, "OPTIMIZER_ADDRESS") ?? "127.0.0.1",
    upstream: upstreamOf(text(flags.upstream, "OLLAMA_HOST") ?? "http://127.0.0.1:11434"),
    store: text(flags.store, "OPTIMIZER_STORE"),
    hosts: flags["allow-host"] ?? [],
    bodyLimitMiB: wholeNumber("body-limit", flags["body-limit"] ?? "32", 1, 4_096),
    override: flags.override ?? false,
    cut: flags.cut ?? false,
    allowAdmin: flags["allow-admin"] ?? false,
    insecure: flags.insecure ?? false,
    token: environment.OPTIMIZER_TOKEN || undefined,
  };
}

function parsed(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        port: { type: "string" },
        address: { type: "string" },
        upstream: { type: "string" },
        store: { type: "string" },
        "allow-host": { type: "string", multiple: true },
        "body-limit": { type: "string" },
        override: { type: "boolean" },
        cut: { type: "boolean" },
        "allow-admin": { type: "boolean" },
        insecure: { type: "boolean" },
      },
    }).values;
  } catch (error) {
    throw invalid((error as Error).message);
  }
}

/** OLLAMA_HOST may lack the scheme and the port, and may be an address to listen at. */
function upstreamOf(value: string): string {
  const hasScheme = /^https?:\/\//.test(value);
  try {
    const url = new URL(hasScheme ? value : `http://${value}`);
    if (url.hostname === "0.0.0.0") url.hostname = "127.0.0.1";
    if (!hasScheme && url.port === "" && !/:80$/.test(value)) url.port = "11434";
    return url.href.replace(/\/+$/, "");
  } catch {
    throw invalid(`The upstream "${value}" is no address`);
  }
}

function wholeNumber(name: string, value: string, least: number, most: number): number {
  const number = /^\d+$/.test(value) ? Number(value) : Number.NaN;
  if (number >= least && number <= most) return number;
  throw invalid(`--${name} is "${value}"`, `Give a whole number from ${least} to ${most}.`);
}

function invalid(message: string, remedy = "See `serve --help`."): OptimizerError {
  return new OptimizerError({ code: "OPTION_INVALID", message, remedy });
}

/** What is in force. Never the token or credentials in an address. */
function described(options: ServeOptions, store: string): string {
  const rows = [
    ["Ollama", new URL(options.upstream).origin],
    ["store", store],
    ["token", options.token === undefined ? "none" : "required"],
    ["a client's own window", options.override ? "overridden" : "wins"],
    ["a prompt that fits no window", options.cut ? "cut" : "refused"],
    ["routes that change models", options.allowAdmin ? "allowed" : "refused"],
    ["body limit", `${options.bodyLimitMiB} MiB`],
  ];
  return rows.map(([name, value]) => `  ${name}: ${value}\n`).join("");
}

function authorization(token: string | undefined): Record<string, string> {
  return token === undefined ? {} : { authorization: `Bearer ${token}` };
}

/** The options of `serve`: by flag before the environment before a file before defaults, and where each came from. */
import { OptimizerError } from "../errors.js";
import { readFlags } from "./flags.js";
import { readJsonFile } from "./jsonFile.js";
import { nearest } from "./nearest.js";
import { DEFAULT_ORIGIN, ollamaOrigin } from "./ollamaOrigin.js";

/** What `serve` was told. The names are those of the file's keys; flags are the same with dashes. */
export interface ServeOptions {
  readonly port: number;
  readonly address: string;
  /** Base address of Ollama. */
  readonly upstream: string;
  /** A folder, or the address of a Redis or PostgreSQL; undefined: the default folder. */
  readonly store: string | undefined;
  /** Of keys or tables on a server. */
  readonly prefix: string | undefined;
  readonly allowHost: readonly string[];
  /** MiB. */
  readonly bodyLimit: number;
  /** Calls that may wait for one model. */
  readonly maxWaiting: number;
  /** Seconds. */
  readonly maxWait: number;
  /** Where replies are kept: "off", "memory", "folder" (of the store), or the address of a Redis or PostgreSQL. */
  readonly cache: string;
  /** Seconds. */
  readonly cacheTtl: number | "learned" | "forever";
  readonly cacheEntries: number;
  /** MiB. */
  readonly cacheSize: number;
  /** Replies at a temperature above 0 too. */
  readonly cacheSampled: boolean;
  /** A file: what costs are reckoned by. */
  readonly prices: string | undefined;
  readonly override: boolean;
  readonly cut: boolean;
  readonly allowAdmin: boolean;
  readonly insecure: boolean;
}

export interface ServeSettings {
  readonly options: ServeOptions;
  /** e.g. `--port`, `OPTIMIZER_PORT`, the file's name, `default`. */
  readonly sources: Readonly<Record<keyof ServeOptions, string>>;
  /** From OPTIMIZER_TOKEN only: other users of a machine can read its command lines. */
  readonly token: string | undefined;
}

interface Option<T> {
  readonly environment: string;
  readonly otherwise: T;
  /** Of a flag, a variable (both text; true for a flag without a value) or a value of the file. Throws what it wants. */
  readonly read: (value: unknown) => T;
  readonly type: "string" | "boolean";
  readonly multiple?: boolean;
}

/** Says what an option may be, by being thrown. */
class Wanted {
  constructor(readonly what: string) {}
}

const OPTIONS: { readonly [K in keyof ServeOptions]: Option<ServeOptions[K]> } = {
  port: wholeNumber("OPTIMIZER_PORT", 11_435, 0, 65_535),
  address: text("OPTIMIZER_ADDRESS", "127.0.0.1"),
  upstream: { ...text("OLLAMA_HOST", DEFAULT_ORIGIN), read: (value) => ollamaOrigin(asText(value)) },
  store: text<string | undefined>("OPTIMIZER_STORE", undefined),
  prefix: text<string | undefined>("OPTIMIZER_PREFIX", undefined),
  allowHost: {
    environment: "OPTIMIZER_ALLOW_HOST",
    otherwise: [],
    type: "string",
    multiple: true,
    read: (value) =>
      (Array.isArray(value) ? value : asText(value).split(/[ ,]+/).filter(Boolean)).map(asHostName),
  },
  bodyLimit: wholeNumber("OPTIMIZER_BODY_LIMIT", 32, 1, 4_096),
  maxWaiting: wholeNumber("OPTIMIZER_MAX_WAITING", 512, 0, 1_000_000),
  maxWait: wholeNumber("OPTIMIZER_MAX_WAIT", 300, 1, 86_400),
  cache: { ...text("OPTIMIZER_CACHE", "off"), read: asPlace },
  cacheTtl: timeToLive("OPTIMIZER_CACHE_TTL"),
  cacheEntries: wholeNumber("OPTIMIZER_CACHE_ENTRIES", 1_000, 1, 10_000_000),
  cacheSize: wholeNumber("OPTIMIZER_CACHE_SIZE", 64, 1, 1_048_576),
  cacheSampled: yesOrNo("OPTIMIZER_CACHE_SAMPLED"),
  prices: text<string | undefined>("OPTIMIZER_PRICES", undefined),
  override: yesOrNo("OPTIMIZER_OVERRIDE"),
  cut: yesOrNo("OPTIMIZER_CUT"),
  allowAdmin: yesOrNo("OPTIMIZER_ALLOW_ADMIN"),
  insecure: yesOrNo("OPTIMIZER_INSECURE"),
};
const KEYS = Object.keys(OPTIONS) as readonly (keyof ServeOptions)[];

/**
 * @throws OptimizerError `OPTION_INVALID` for values that cannot be meant and keys of the file that there are not;
 *   `ARGUMENT_INVALID` for flags
 * @example serveOptions(["--port", "8080"], {}).sources.port // "--port"
 */
export function serveOptions(
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): ServeSettings {
  const flags = flagsOf(args);
  const path = (flags.config as string | undefined) ?? (environment.OPTIMIZER_CONFIG || undefined);
  const file = path === undefined ? {} : fileOf(path);
  const options: Record<string, unknown> = {};
  const sources: Record<string, string> = {};
  for (const key of KEYS) {
    const { environment: variable, otherwise } = OPTIONS[key];
    const flag = dashed(key);
    if (flags[flag] !== undefined) {
      options[key] = readAs(key, flags[flag], `--${flag}`);
      sources[key] = `--${flag}`;
    } else if (environment[variable]) {
      options[key] = readAs(key, environment[variable], variable);
      sources[key] = variable;
    } else if (Object.hasOwn(file, key)) {
      options[key] = readAs(key, file[key], `"${key}" in ${path}`);
      sources[key] = path!;
    } else {
      options[key] = otherwise;
      sources[key] = "default";
    }
  }
  return {
    options: options as unknown as ServeOptions,
    sources: sources as ServeSettings["sources"],
    token: environment.OPTIMIZER_TOKEN || undefined,
  };
}

function flagsOf(args: readonly string[]): Readonly<Record<string, unknown>> {
  const known = KEYS.map((key) => [
    dashed(key),
    { type: OPTIONS[key].type, multiple: OPTIONS[key].multiple ?? false },
  ]);
  const { values, positionals } = readFlags(args, {
    ...(Object.fromEntries(known) as Record<string, { type: "string" | "boolean"; multiple: boolean }>),
    config: { type: "string" },
  });
  if (positionals.length > 0) throw invalid(`serve takes no "${positionals[0]}"`, "See `serve --help`.");
  return values;
}

function fileOf(path: string): Readonly<Record<string, unknown>> {
  let read: unknown;
  try {
    read = readJsonFile(path);
  } catch (cause) {
    const why = cause instanceof SyntaxError ? "is not JSON" : "cannot be read";
    throw invalid(`The options file ${path} ${why}`, 'Give a JSON object like {"port": 8080}.', cause);
  }
  if (typeof read !== "object" || read === null || Array.isArray(read)) {
    throw invalid(`The options file ${path} holds no JSON object`, 'Give one like {"port": 8080}.');
  }
  for (const key of Object.keys(read)) {
    if (Object.hasOwn(OPTIONS, key)) continue;
    const suggested = nearest(key, KEYS);
    throw invalid(
      `The options file ${path} has an unknown key "${key}"`,
      suggested ? `Did you mean "${suggested}"?` : `Known ones are ${KEYS.join(", ")}.`,
    );
  }
  return read as Record<string, unknown>;
}

function readAs<K extends keyof ServeOptions>(key: K, value: unknown, where: string): ServeOptions[K] {
  try {
    return OPTIONS[key].read(value);
  } catch (cause) {
    if (!(cause instanceof Wanted)) throw cause;
    throw invalid(`${where} is ${JSON.stringify(value)}`, `Give ${cause.what}.`);
  }
}

function text<T extends string | undefined>(environment: string, otherwise: T) {
  return { environment, otherwise, type: "string" as const, read: asText };
}

function wholeNumber(environment: string, otherwise: number, least: number, most: number): Option<number> {
  const read = (value: unknown): number => {
    const number = typeof value === "string" && /^\d+$/.test(value) ? Number(value) : value;
    if (Number.isInteger(number) && (number as number) >= least && (number as number) <= most) {
      return number as number;
    }
    throw new Wanted(`a whole number from ${least} to ${most}`);
  };
  return { environment, otherwise, type: "string", read };
}

const YES_OR_NO: Readonly<Record<string, boolean>> = { true: true, 1: true, false: false, 0: false };

function yesOrNo(environment: string): Option<boolean> {
  const read = (value: unknown): boolean => {
    const known = Object.hasOwn(YES_OR_NO, String(value)) ? YES_OR_NO[String(value)] : undefined;
    if (known === undefined) throw new Wanted("true or false");
    return known;
  };
  return { environment, otherwise: false, type: "boolean", read };
}

const PLACES = ["off", "memory", "folder"];

function asPlace(value: unknown): string {
  const place = asText(value);
  if (PLACES.includes(place) || /^(rediss?|postgres(ql)?):\/\//.test(place)) return place;
  throw new Wanted("memory, folder, redis://..., postgres://... or off");
}

function timeToLive(environment: string): Option<ServeOptions["cacheTtl"]> {
  const seconds = wholeNumber(environment, 3_600, 1, 315_360_000);
  const read = (value: unknown): ServeOptions["cacheTtl"] => {
    if (value === "learned" || value === "forever") return value;
    try {
      return seconds.read(value);
    } catch {
      throw new Wanted("whole seconds above 0, learned or forever");
    }
  };
  return { ...seconds, read };
}

function asText(value: unknown): string {
  if (typeof value === "string" && value !== "") return value;
  throw new Wanted("text");
}

function asHostName(value: unknown): string {
  const name = asText(value);
  if (/^[\w.-]+$/.test(name)) return name;
  throw new Wanted("a name without a scheme or a port");
}

/** `bodyLimit` as a flag: `body-limit`. */
function dashed(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

function invalid(message: string, remedy: string, cause?: unknown): OptimizerError {
  return new OptimizerError({ code: "OPTION_INVALID", message, remedy, cause });
}

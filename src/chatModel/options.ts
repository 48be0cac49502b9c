/** What a person may set on the models of this package, per instance and per call, and the check of it. */
import type {
  ChatOllamaCallOptions,
  ChatOllamaInput,
  OllamaCallOptions,
  OllamaInput,
} from "@langchain/ollama";
import type { OverflowPolicy } from "../engine/types.js";
import { OptimizerError } from "../errors.js";
import type { Logger } from "../logger.js";
import type { TuningOptions } from "../optimizer/configuration.js";
import type { StoreOption } from "../storage/storeOf.js";

/** On, off, or only for messages that start with `/opt`. */
export type OptimizeMode = boolean | "command";

/** Ollama takes a switch or, for some models, a level. */
export type Think = boolean | "low" | "medium" | "high";

/** Options of an instance beyond those of LangChain's class. */
export interface OptimizerFields {
  /**
   * A folder, a store, or `false` for memory only; whatever names the same one is shared within the process.
   * Default: the user's state folder, shared by all their programs; `defaultStorePath()` tells where.
   */
  store?: StoreOption;
  /** @default true */
  optimize?: OptimizeMode;
  /** Tuning of the decision. */
  optimizer?: TuningOptions;
  /**
   * What happens to a prompt that fits no permitted window: `error` throws core's `ContextOverflowError`, `trim`
   * leaves out the oldest messages and says how many, `cut` is Ollama's own silent cut, flagged.
   * @default "error"
   */
  onOverflow?: OverflowPolicy;
  /** Hears warnings; the library prints nothing. */
  logger?: Logger;
  /** Keeps prompt and reply text in the request log; a store of your own must permit it too. @default false */
  storeText?: boolean;
  /** Changes every text before it is stored; only with `storeText`. */
  redact?: (text: string) => string;
}

/** Options of one call beyond those of LangChain's class. Each wins over the same option of the instance. */
export interface OptimizerCallOptions {
  /** Window in tokens. A window that is set is never changed. */
  numCtx?: number;
  /** Tokens processed at once while reading the prompt. */
  numBatch?: number;
  /** How long the model stays loaded: a duration such as `"1h"`, or seconds; negative is for ever. */
  keepAlive?: string | number;
  think?: Think;
  optimize?: OptimizeMode;
  onOverflow?: OverflowPolicy;
}

/** Fields of {@link OptimizedChatOllama}: every field of `ChatOllama`, and the optimizer's. */
export interface OptimizedChatOllamaInput extends Omit<ChatOllamaInput, "think">, OptimizerFields {
  think?: Think;
}

/** Call options of {@link OptimizedChatOllama}. */
export interface OptimizedChatOllamaCallOptions extends ChatOllamaCallOptions, OptimizerCallOptions {}

/** Fields of {@link OptimizedOllama}: every field of LangChain's `Ollama`, and the optimizer's. */
export interface OptimizedOllamaInput extends Omit<OllamaInput, "think">, OptimizerFields {
  think?: Think;
}

/** Call options of {@link OptimizedOllama}. */
export interface OptimizedOllamaCallOptions extends OllamaCallOptions, OptimizerCallOptions {}

interface Rule {
  readonly holds: (value: unknown) => boolean;
  readonly remedy: string;
}

const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) > 0;
const isOneOf =
  (...allowed: readonly unknown[]) =>
  (value: unknown): boolean =>
    allowed.includes(value);

/** As ollama-js reads it: a port alone and a host alone are addresses too. */
function isAddress(value: unknown): boolean {
  if (typeof value !== "string") return false;
  const host = value.startsWith(":") ? `127.0.0.1${value}` : value;
  return host === "" || URL.canParse(host.includes("://") ? host : `http://${host}`);
}

function isHeaders(value: unknown): boolean {
  try {
    new Headers(value as Record<string, string>);
    return typeof value === "object" && value !== null;
  } catch {
    return false;
  }
}

const count: Rule = {
  holds: isCount,
  remedy: "Give a whole number of tokens above 0, or leave it out to have it decided.",
};

/** Everything else is LangChain's or Ollama's to check. */
const RULES: Readonly<Record<string, Rule>> = {
  model: {
    holds: (value) => typeof value === "string" && value !== "",
    remedy: 'Give the name of a model, such as "qwen3:8b".',
  },
  baseUrl: {
    holds: isAddress,
    remedy: 'Give the address of a server, such as "http://127.0.0.1:11434".',
  },
  headers: { holds: isHeaders, remedy: "Give an object of names and texts." },
  signal: {
    // Of any realm: a test environment may bring its own class.
    holds: (value) => typeof (value as { throwIfAborted?: unknown } | null)?.throwIfAborted === "function",
    remedy: "Give the `signal` of an AbortController, or AbortSignal.timeout().",
  },
  numCtx: count,
  numBatch: count,
  numPredict: {
    holds: Number.isSafeInteger,
    remedy: "Give a whole number of tokens, or leave it out to have it decided.",
  },
  logger: {
    holds: (value) => typeof (value as { warn?: unknown } | null)?.warn === "function",
    remedy: "Give an object with a method `warn`, such as `console`.",
  },
  keepAlive: {
    holds: (value) => Number.isFinite(value) || (typeof value === "string" && value.trim() !== ""),
    remedy: 'Give a duration such as "30m", or seconds as a number.',
  },
  think: {
    holds: isOneOf(true, false, "low", "medium", "high"),
    remedy: 'Give true, false, "low", "medium" or "high".',
  },
  optimize: { holds: isOneOf(true, false, "command"), remedy: 'Give true, false or "command".' },
  onOverflow: { holds: isOneOf("error", "trim", "cut"), remedy: 'Give "error", "trim" or "cut".' },
  storeText: { holds: isOneOf(true, false), remedy: "Give true or false." },
  redact: {
    holds: (value) => typeof value === "function",
    remedy: "Give a function from text to text.",
  },
};

/**
 * Refuses values that Ollama would misread: it takes a window of 0 for "the default", and a window in a string
 * fails only after the model's load was planned.
 *
 * @throws OptimizerError `OPTION_INVALID`
 * @example checkOptions({ numCtx: 8192 }) // undefined
 */
export function checkOptions(options: object): void {
  for (const [name, { holds, remedy }] of Object.entries(RULES)) {
    const value = (options as Record<string, unknown>)[name];
    if (value === undefined || holds(value)) continue;
    throw new OptimizerError({ code: "OPTION_INVALID", message: `${name} is ${shown(value)}`, remedy });
  }
}

/**
 * Refuses what is no input of a model: LangChain fails on it with an error of the runtime.
 *
 * @throws OptimizerError `OPTION_INVALID`
 * @example checkInput("Why is the sky blue?") // undefined
 */
export function checkInput(input: unknown): void {
  if (typeof input === "string" || Array.isArray(input)) return;
  if (typeof (input as { toChatMessages?: unknown } | null | undefined)?.toChatMessages === "function")
    return;
  throw new OptimizerError({
    code: "OPTION_INVALID",
    message: `The input of the call is ${shown(input)}`,
    remedy: "Give a text, a list of messages, or a prompt's value.",
  });
}

function shown(value: unknown): string {
  if (typeof value === "object" && value !== null) return "an object";
  return typeof value === "string" ? JSON.stringify(value.slice(0, 40)) : String(value);
}

/** What a client of the OpenAI surface is told when a call fails. */
import { OptimizerError, WindowOverflow } from "../../errors.js";
import { type Failure, failureOf } from "../failure.js";
import { Refused } from "./refused.js";

/** OpenAI's `error`. */
export interface ErrorObject {
  readonly message: string;
  readonly type: string;
  readonly param: string | null;
  readonly code: string | null;
}

export const WRONG_KEY: ErrorObject = {
  message: "Incorrect API key provided: send this server's token as the key.",
  type: "invalid_request_error",
  param: null,
  code: "invalid_api_key",
};

/** A Host or an Origin that may not ask. Type as OpenAI's 403 for countries has it. */
export const FORBIDDEN: Omit<ErrorObject, "message"> = {
  type: "request_forbidden",
  param: null,
  code: "forbidden",
};

/** Codes that OpenAI's clients branch on; every other code of ours is passed on in lower case. */
const CODES: Readonly<Record<string, string>> = {
  CONTEXT_OVERFLOW: "context_length_exceeded",
  CONTEXT_EXCEEDED: "context_length_exceeded",
  OPTION_INVALID: "invalid_value",
};

/** @example isOpenAiPath("/v1/models") // true */
export function isOpenAiPath(path: string): boolean {
  return path === "/v1" || path.startsWith("/v1/");
}

export function openAiFailure(error: unknown): Failure {
  const failure = failureOf(error);
  return {
    ...failure,
    status: statusOf(error, failure),
    body: JSON.stringify({ error: errorObject(error) }),
  };
}

export function errorObject(error: unknown): ErrorObject {
  const failure = failureOf(error);
  const type = typeOf(statusOf(error, failure));
  if (error instanceof Refused) {
    const { message, code, param } = error;
    return { message, type, param, code };
  }
  const code = codeOf(error, failure);
  const param = code === "model_not_found" ? "model" : null;
  return { message: messageOf(error, failure.body), type, param, code };
}

/** Ollama's 501 (embeddings of a model that makes none) is the caller's mistake: clients repeat what is above 499. */
function statusOf(error: unknown, { status }: Failure): number {
  if (error instanceof Refused) return error.status;
  return status === 501 ? 400 : status;
}

function codeOf(error: unknown, { status }: Failure): string | null {
  if (status === 501) return "capability_missing";
  return OptimizerError.isInstance(error) ? (CODES[error.code] ?? error.code.toLowerCase()) : null;
}

function typeOf(status: number): string {
  if (status === 429) return "rate_limit_error";
  return status < 500 ? "invalid_request_error" : "server_error";
}

/**
 * The server's own words where it has any. A prompt that is too long is told as OpenAI tells it: LangChain and
 * others know it by "maximum context length", and Ollama's text is JSON in JSON.
 */
function messageOf(error: unknown, body: string): string {
  if (error instanceof WindowOverflow) {
    const { limitTokens, promptTokens } = error;
    return `This model's maximum context length is ${limitTokens} tokens. However, your prompt resulted in ${promptTokens} tokens. Please reduce its length.`;
  }
  if (OptimizerError.isInstance(error) && error.code === "CONTEXT_EXCEEDED") {
    return "Your prompt exceeds this model's maximum context length. Please reduce its length.";
  }
  const { error: told } = JSON.parse(body) as { readonly error?: unknown };
  if (typeof told === "string") return unwrapped(told);
  return error instanceof Error ? error.message : "internal error";
}

/** Ollama >= 0.30 passes on what its runner said, as it is: `{"error":{"code":400,"message":"...",...}}`. */
function unwrapped(told: string): string {
  try {
    const { error } = JSON.parse(told) as { readonly error?: { readonly message?: unknown } };
    return typeof error?.message === "string" ? error.message : told;
  } catch {
    return told;
  }
}

/** What a client of the Ollama surface is told when a call fails: the server's own words where it said any. */
import { OptimizerError, UpstreamError, WindowOverflow } from "../errors.js";
import { QueueError } from "./turns.js";

export interface Failure {
  readonly status: number;
  /** JSON as Ollama writes it: `{"error": "..."}`. */
  readonly body: string;
  /** Seconds after which to call again; null where nothing is known of that. */
  readonly retryAfterSeconds: number | null;
}

/** nginx's status for a client that left; Ollama logs the same. Nobody reads it. */
const CLIENT_LEFT = 499;

const STATUS: Readonly<Record<string, number>> = {
  CONTEXT_OVERFLOW: 400,
  OPTION_INVALID: 400,
  BODY_TOO_DEEP: 400,
  CURSOR_UNKNOWN: 404,
  BODY_TOO_LARGE: 413,
  BODY_TOO_SLOW: 408,
  QUEUE_FULL: 503,
  QUEUE_TIMEOUT: 503,
};

export function failureOf(error: unknown): Failure {
  const retryAfterSeconds = error instanceof QueueError ? error.retryAfterSeconds : null;
  return { ...answerTo(error), retryAfterSeconds };
}

function answerTo(error: unknown): Pick<Failure, "status" | "body"> {
  if (isUpstream(error)) {
    const { status, body, message } = error;
    if (status >= 400 && body !== "") return { status, body: hasErrorField(body) ? body : worded(body) };
    return { status: 502, body: worded(message) };
  }
  if (OptimizerError.isInstance(error)) {
    const message = error instanceof WindowOverflow ? withNamesOfOurs(error.message) : error.message;
    return { status: STATUS[error.code] ?? 500, body: worded(message) };
  }
  if (isAbort(error)) return { status: CLIENT_LEFT, body: worded("the client left") };
  return { status: 500, body: worded("internal error") };
}

/** For the metrics: the codes that the request log has too. */
export function codeOfFailure(error: unknown): string {
  if (OptimizerError.isInstance(error)) return error.code;
  return isAbort(error) ? "ABORTED" : "UNKNOWN";
}

/** For the log: a code or a class, never a text that may quote a prompt. */
export function nameOfFailure(error: unknown): string {
  if (OptimizerError.isInstance(error)) return error.code;
  return error instanceof Error ? error.name : typeof error;
}

export function isAbort(error: unknown): boolean {
  return error instanceof Error && error.name === "AbortError";
}

function isUpstream(error: unknown): error is UpstreamError {
  return error instanceof UpstreamError;
}

/** A chat model's options are not a client's. */
function withNamesOfOurs(message: string): string {
  return message
    .replaceAll("numCtx", "num_ctx")
    .replace("set onOverflow to trim", "start the server with --cut");
}

function worded(error: string): string {
  return JSON.stringify({ error });
}

function hasErrorField(body: string): boolean {
  try {
    const parsed: unknown = JSON.parse(body);
    return typeof parsed === "object" && parsed !== null && "error" in parsed;
  } catch {
    return false;
  }
}

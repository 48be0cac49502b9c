/**
 * How an Ollama server says no. The shapes changed with the engine: before 0.30 a plain string, since then JSON
 * of llama-server inside the string of `error`.
 */
import { UpstreamError } from "../errors.js";

/** A prompt refused because of `truncate: false`. */
export interface ContextRefusal {
  /** Tokens of the prompt; null where the server does not tell (before 0.30). */
  readonly promptTokens: number | null;
  /** Window in tokens; null where the server does not tell. */
  readonly windowTokens: number | null;
}

const CONTEXT_WORDS =
  /exceed_context_size_error|exceeds the (available )?context (size|length|window)|longer than the context length|exceeds maximum context length/i;
const MEMORY_WORDS =
  /out[- ]of[- ]memory|requires more system memory|cudaMalloc failed|failed to allocate|unable to allocate|not enough memory|insufficient memory/i;

/**
 * Reads a refusal for length.
 *
 * @returns null for every other error
 * @example contextRefusal(400, '{"error":"the input length exceeds the context length"}') // { promptTokens: null, windowTokens: null }
 */
export function contextRefusal(status: number, body: string): ContextRefusal | null {
  if (status < 400 || !CONTEXT_WORDS.test(body)) return null;
  const request = /request \((\d+) tokens\)/.exec(body)?.[1];
  const window = /context size \((\d+) tokens\)/.exec(body)?.[1];
  return {
    promptTokens: integer(/n_prompt_tokens\\*"\s*:\s*(\d+)/.exec(body)?.[1] ?? request),
    windowTokens: integer(/n_ctx\\*"\s*:\s*(\d+)/.exec(body)?.[1] ?? window),
  };
}

function integer(text: string | undefined): number | null {
  return text === undefined ? null : Number.parseInt(text, 10);
}

/** True for a load that ran out of memory (0.24: "requires more system memory", 0.34: "reported out-of-memory"). */
export function isOutOfMemory(status: number, body: string): boolean {
  return status >= 500 && MEMORY_WORDS.test(body);
}

/**
 * The typed error for a reply of status 400 or more.
 *
 * @param status HTTP status
 * @param body the reply as text; kept on the error, never in its message (it may quote the prompt)
 * @param model for the remedy
 */
export function upstreamError(status: number, body: string, model: string): UpstreamError {
  const kind = classify(status, body);
  return new UpstreamError({
    ...kind,
    message: kind.message(model, status),
    remedy: kind.remedy(model),
    status,
    body,
  });
}

interface Kind {
  readonly code: string;
  readonly message: (model: string, status: number) => string;
  readonly remedy: (model: string) => string;
}

const SERVER_ERROR: Kind = {
  code: "SERVER_ERROR",
  message: (model, status) => `Ollama answered ${status} for model "${model}"`,
  remedy: () => "Look at Ollama's own log; the server's words are in this error's `body`.",
};

const KINDS: readonly (Kind & { readonly when: (status: number, body: string) => boolean })[] = [
  {
    code: "CONTEXT_EXCEEDED",
    when: (status, body) => contextRefusal(status, body) !== null,
    message: (model) => `The prompt exceeds the window of model "${model}"`,
    remedy: () => "Shorten it, allow a larger numCtx, or set onOverflow to trim.",
  },
  {
    code: "MODEL_NOT_FOUND",
    when: (status) => status === 404,
    message: (model) => `Ollama has no model "${model}"`,
    remedy: (model) => `Run \`ollama pull ${model}\`, or name one of \`ollama list\`.`,
  },
  {
    code: "CAPABILITY_MISSING",
    when: (status, body) => status === 400 && /does not support/i.test(body),
    message: (model) => `Model "${model}" cannot do what this call asks for`,
    remedy: (model) => `See \`ollama show ${model}\` for its capabilities.`,
  },
  {
    code: "OUT_OF_MEMORY",
    when: isOutOfMemory,
    message: (model) => `Model "${model}" does not fit into memory with this window`,
    remedy: () => "Unload other models (`ollama stop`), use a smaller window or a smaller model.",
  },
  {
    code: "LOAD_TIMEOUT",
    when: (status, body) => status >= 500 && /timed out/i.test(body),
    message: (model) => `Loading model "${model}" took longer than the server allows`,
    remedy: () => "Raise OLLAMA_LOAD_TIMEOUT on the server, or use a smaller model.",
  },
  {
    code: "RUNNER_CRASHED",
    when: (status, body) =>
      status >= 500 && /unexpectedly stopped|process has terminated|failed to load/i.test(body),
    message: (model) => `The process that runs model "${model}" ended`,
    remedy: () => "Call again; when it repeats, look at Ollama's log for the cause.",
  },
  {
    code: "SERVER_BUSY",
    when: (status) => status === 503,
    message: () => "Ollama's queue is full",
    remedy: () => "Call again later, send fewer calls at once, or raise OLLAMA_MAX_QUEUE on the server.",
  },
  {
    code: "UNAUTHORIZED",
    when: (status) => status === 401 || status === 403,
    message: (model, status) => `The server refused access (${status}) to model "${model}"`,
    remedy: () => "Sign in with `ollama signin`, or send the headers that your proxy wants.",
  },
  {
    code: "REQUEST_INVALID",
    // An option or a format that is none is a 500, of 0.24.0 and 0.34.0 alike.
    when: (status, body) =>
      (status >= 400 && status < 500) || (status === 500 && /must be of type|invalid format: /.test(body)),
    message: (model, status) => `Ollama refused the request for model "${model}" (${status})`,
    remedy: () => "The server's words are in this error's `body`; check the options of the call.",
  },
];

function classify(status: number, body: string): Kind {
  return KINDS.find((kind) => kind.when(status, body)) ?? SERVER_ERROR;
}

/** The typed error for a server that cannot be reached. Aborts are not errors of the server: pass them on. */
export function unreachable(origin: string, cause: unknown): UpstreamError {
  const code = (cause as { code?: unknown } | null)?.code;
  return new UpstreamError({
    code: "SERVER_UNREACHABLE",
    message: `No answer from Ollama at ${withoutCredentials(origin)}${typeof code === "string" ? ` (${code})` : ""}`,
    remedy: "Start it with `ollama serve`, or give the address where it runs (`baseUrl`, `--upstream`).",
    status: 0,
    cause,
  });
}

function withoutCredentials(origin: string): string {
  return origin.replace(/\/\/[^/@]*@/, "//");
}

/** The typed error for a reply that ends without its final record, or is empty and unfinished. */
export function incompleteReply(model: string, cause?: unknown): UpstreamError {
  return new UpstreamError({
    code: "REPLY_INCOMPLETE",
    message: `The reply of model "${model}" ended without its final record`,
    remedy:
      "Call again; when it repeats, look at Ollama's log (the engine may have crashed or produced invalid text).",
    status: 200,
    cause,
  });
}

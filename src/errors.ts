/**
 * One family of errors. Each has a code to branch on, a message that names what was found, and a remedy that
 * a person can carry out. Subclasses exist only where a caller would treat them differently.
 */

const MARK = "isLangchainOllamaOptimizerError";

/** Fields of an OptimizerError. */
export interface OptimizerErrorFields {
  /** Stable, upper case, e.g. `STORE_DAMAGED`. */
  readonly code: string;
  /** Names the option, file or model and the value found. Never prompt text. */
  readonly message: string;
  /** What a person can do about it. */
  readonly remedy: string;
  readonly cause?: unknown;
}

/**
 * Base of all errors this package throws itself. (A prompt that fits no window is LangChain's own
 * `ContextOverflowError`, an aborted call its `ModelAbortError`.)
 *
 * @example
 * const error = new OptimizerError({ code: "STORE_DAMAGED", message: "rules.json is not JSON", remedy: "Put a copy back." });
 * error.message // "rules.json is not JSON. Put a copy back."
 * OptimizerError.isInstance(error) // true
 */
export class OptimizerError extends Error {
  override name = "OptimizerError";
  readonly code: string;
  readonly remedy: string;
  /** Survives two installed copies of the package, which `instanceof` does not. */
  readonly isLangchainOllamaOptimizerError = true as const;

  constructor(fields: OptimizerErrorFields) {
    super(`${fields.message.replace(/\.$/, "")}. ${fields.remedy}`, { cause: fields.cause });
    this.code = fields.code;
    this.remedy = fields.remedy;
  }

  /** True for errors of this family, also when two copies of the package are installed. */
  static isInstance(error: unknown): error is OptimizerError {
    return typeof error === "object" && error !== null && MARK in error;
  }
}

/**
 * A server that refused, failed or fell silent. Codes: `SERVER_UNREACHABLE`, `MODEL_NOT_FOUND`,
 * `CAPABILITY_MISSING`, `SERVER_BUSY`, `OUT_OF_MEMORY`, `RUNNER_CRASHED`, `LOAD_TIMEOUT`, `CONTEXT_EXCEEDED`,
 * `REQUEST_INVALID`, `UNAUTHORIZED`, `SERVER_ERROR`, `REPLY_INCOMPLETE`.
 */
export class UpstreamError extends OptimizerError {
  override name = "UpstreamError";
  /** HTTP status; 0 when there was no reply. */
  readonly status: number;
  /** The server's own words. They may quote the prompt: never log or store them. */
  readonly body: string;

  constructor(fields: OptimizerErrorFields & { readonly status: number; readonly body?: string }) {
    super(fields);
    this.status = fields.status;
    this.body = fields.body ?? "";
  }
}

/**
 * What sets the largest window: the model's training, a window that ran out of memory, the option `maximumWindow`,
 * a ceiling that a person set for the model (`inspect set ceiling`), the caller's own `numCtx`, or a window that a
 * person pinned.
 */
export type LimitKind = "trained" | "ceiling" | "maximum" | "allowed" | "explicit" | "pinned";

/** A prompt that fits no window that is permitted. Code `CONTEXT_OVERFLOW`. Nothing was sent, or nothing answered. */
export class WindowOverflow extends OptimizerError {
  override name = "WindowOverflow";
  readonly promptTokens: number;
  readonly needTokens: number;
  /** Largest permitted window in tokens. */
  readonly limitTokens: number;
  /** What sets the limit. */
  readonly limit: LimitKind;

  constructor(
    fields: Omit<OptimizerErrorFields, "code"> &
      Pick<WindowOverflow, "promptTokens" | "needTokens" | "limitTokens" | "limit">,
  ) {
    super({ ...fields, code: "CONTEXT_OVERFLOW" });
    this.promptTokens = fields.promptTokens;
    this.needTokens = fields.needTokens;
    this.limitTokens = fields.limitTokens;
    this.limit = fields.limit;
  }
}

const RECORDED = Symbol.for("langchain-ollama-optimizer.recorded");

/** Marks the error of a call that is in the store already, so that no callback handler counts it again. */
export function markRecorded(error: unknown): void {
  if (typeof error === "object" && error !== null && Object.isExtensible(error)) {
    Object.defineProperty(error, RECORDED, { value: true, configurable: true });
  }
}

/** Whether {@link markRecorded} saw this error, also by another installed copy of the package. */
export function isRecorded(error: unknown): boolean {
  return typeof error === "object" && error !== null && RECORDED in error;
}

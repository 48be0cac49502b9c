/** What went wrong with a call, as a code: a server's message may quote the prompt, so its text is never kept. */

const BY_NAME: Readonly<Record<string, string>> = {
  AbortError: "ABORTED",
  ModelAbortError: "ABORTED",
  TimeoutError: "TIMEOUT",
  ContextOverflowError: "CONTEXT_OVERFLOW",
};
/** `fetch failed` hides its reason one level down, clients of other providers two. */
const DEEPEST_CAUSE = 4;

/**
 * The code under which a failed call is recorded, from the error or the nearest cause that has one: a known
 * name, LangChain's `lc_error_code`, `code` (this package, Node, most clients) or the HTTP status.
 *
 * @returns upper case, at most 64 characters; `UNKNOWN` when nothing tells
 * @example errorCode(new DOMException("took 30 s", "TimeoutError")) // "TIMEOUT"
 * @example errorCode(new TypeError("fetch failed", { cause: { code: "ECONNREFUSED" } })) // "ECONNREFUSED"
 * @example errorCode({ message: "model is gone", status_code: 404 }) // "HTTP_404"
 * @example errorCode("the prompt was: ...") // "UNKNOWN"
 */
export function errorCode(error: unknown): string {
  let at = error;
  for (let depth = 0; depth <= DEEPEST_CAUSE && typeof at === "object" && at !== null; depth += 1) {
    const fields = at as Readonly<Record<string, unknown>>;
    const code = codeOf(fields);
    if (code) return code;
    at = fields.cause;
  }
  return "UNKNOWN";
}

function codeOf(error: Readonly<Record<string, unknown>>): string | undefined {
  if (typeof error.name === "string" && Object.hasOwn(BY_NAME, error.name)) return BY_NAME[error.name];
  for (const code of [error.lc_error_code, error.code]) {
    if (typeof code === "string" && /^[a-z][a-z0-9_]{0,63}$/i.test(code)) return code.toUpperCase();
  }
  const status = error.status_code ?? error.status ?? error.statusCode;
  return Number.isInteger(status) ? `HTTP_${status}` : undefined;
}

/** Reads what a client of the Ollama surface asks for. What is not understood is left to Ollama to refuse. */
import type { WireMessage, WireRequest } from "../backend/wire.js";

export type OllamaPath = "/api/chat" | "/api/generate";

type Fields = Readonly<Record<string, unknown>>;

/** A JSON object with a model; null for everything else. */
export function requestOf(bytes: Uint8Array): (WireRequest & Fields) | null {
  try {
    const parsed: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    return isObject(parsed) && typeof parsed.model === "string" && parsed.model !== ""
      ? (parsed as unknown as WireRequest & Fields)
      : null;
  } catch {
    return null;
  }
}

/**
 * The call as the engine takes it: a message without content has "" (as in Go), null counts as left out, whole
 * options lose their fraction.
 *
 * @returns null for types that Ollama refuses
 */
export function generatingCall(request: WireRequest): WireRequest | null {
  const { messages, prompt, system, options, tools, images } = request as unknown as Fields;
  if (!isListOr(messages, isObject) || !isListOr(tools, isObject) || !isListOr(images, isText)) return null;
  if (!isOr(prompt, isText) || !isOr(system, isText) || !isOr(options, isOptions)) return null;
  const filled = (messages as Fields[] | null | undefined)?.map(withContent);
  if (filled?.some((message) => message === null)) return null;
  const fields = Object.entries(request).filter(([, value]) => value !== null);
  const call = Object.fromEntries(fields) as unknown as WireRequest;
  return {
    ...call,
    ...(filled && { messages: filled as unknown as WireMessage[] }),
    ...(isObject(options) && { options: asOllamaReads(options) }),
  };
}

const WHOLE: ReadonlySet<string> = new Set([
  "num_ctx",
  "num_batch",
  "num_gpu",
  "main_gpu",
  "num_thread",
  "num_predict",
]);

/** Whether Ollama takes those that matter here (`api/types.go`, FromMap). */
function isOptions(value: unknown): value is Fields {
  if (!isObject(value)) return false;
  return [...WHOLE].every((name) => isOr(value[name], (option) => typeof option === "number"));
}

function asOllamaReads(options: Fields): Fields {
  const given = Object.entries(options).filter(([, value]) => value !== null);
  return Object.fromEntries(
    given.map(([name, value]) => [name, WHOLE.has(name) ? Math.trunc(value as number) : value]),
  );
}

/** Nothing to answer: a preload, or with `keep_alive: 0` an unload (Ollama `server/routes.go`). */
export function isPreload(path: OllamaPath, request: WireRequest): boolean {
  if (path === "/api/chat") return (request.messages?.length ?? 0) === 0;
  return (request.prompt ?? "") === "" && !request.images?.length;
}

/** The prompt as the model would read it is all that is wanted (`_debug_render_only` of both Ollama generations). */
export function isRendering(request: WireRequest): boolean {
  return (request as unknown as Fields)._debug_render_only === true;
}

/** Without the window and the batch that its client set. */
export function withoutWindow<R extends WireRequest>(request: R): R {
  if (!request.options) return request;
  const { num_ctx: _, num_batch: __, ...options } = request.options;
  return { ...request, options };
}

function withContent(message: Fields): Fields | null {
  const { role, content, images, thinking, tool_calls, tool_name, tool_call_id } = message;
  if (!isText(role) || !isListOr(images, isText) || !isListOr(tool_calls, isToolCall)) return null;
  if (![content, thinking, tool_name, tool_call_id].every((text) => isOr(text, isText))) return null;
  return { ...message, content: content ?? "" };
}

function isToolCall(value: unknown): value is Fields {
  if (!isObject(value) || !isObject(value.function)) return false;
  return isText(value.function.name) && isOr(value.function.arguments, isObject);
}

function isObject(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}

function isOr(value: unknown, is: (value: unknown) => boolean): boolean {
  return value === undefined || value === null || is(value);
}

function isListOr(value: unknown, is: (item: unknown) => boolean): boolean {
  return isOr(value, (list) => Array.isArray(list) && list.every(is));
}

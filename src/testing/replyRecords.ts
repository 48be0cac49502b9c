/** Records of a reply as they go over the wire, fields in Ollama's order. */
import type { ScriptedToolCall } from "./engine.js";

export type Endpoint = "chat" | "generate";

/** What one record says. */
export interface ReplyPart {
  readonly content: string;
  readonly thinking?: string;
  readonly toolCalls?: readonly {
    readonly id: string;
    readonly index: number;
    readonly call: ScriptedToolCall;
  }[];
}

/** Durations in nanoseconds, counts in tokens. */
export interface ReplyMetrics {
  readonly doneReason: string;
  readonly total: number;
  readonly load: number;
  readonly promptTokens: number;
  /** undefined where the version does not tell. */
  readonly cachedTokens: number | undefined;
  readonly prompt: number;
  readonly outputTokens: number;
  readonly output: number;
  /** Of `/api/generate`: the tokens of prompt and reply. */
  readonly context?: readonly number[];
}

/** A record of the stream; with metrics, the last one. */
export function replyRecord(
  endpoint: Endpoint,
  model: string,
  at: number,
  part: ReplyPart,
  metrics?: ReplyMetrics,
): Record<string, unknown> {
  return {
    model,
    created_at: new Date(at).toISOString(),
    ...(endpoint === "chat" ? { message: message(part) } : response(part)),
    ...(metrics ? final(metrics) : { done: false }),
  };
}

/** A reply without generation: after a load or an unload. */
export function emptyReply(
  endpoint: Endpoint,
  model: string,
  at: number,
  doneReason: string,
): Record<string, unknown> {
  return { ...replyRecord(endpoint, model, at, { content: "" }), done: true, done_reason: doneReason };
}

/** What is left when the engine said nothing at all: every field at Go's zero. */
export function zeroReply(endpoint: Endpoint): Record<string, unknown> {
  const body = endpoint === "chat" ? { message: { role: "", content: "" } } : { response: "" };
  return { model: "", created_at: "0001-01-01T00:00:00Z", ...body, done: false };
}

function message(part: ReplyPart): Record<string, unknown> {
  return {
    role: "assistant",
    content: part.content,
    ...(part.thinking ? { thinking: part.thinking } : {}),
    ...(part.toolCalls?.length
      ? {
          tool_calls: part.toolCalls.map(({ id, index, call }) => ({
            id,
            function: { index, name: call.name, arguments: call.arguments },
          })),
        }
      : {}),
  };
}

function response(part: ReplyPart): Record<string, unknown> {
  return { response: part.content, ...(part.thinking ? { thinking: part.thinking } : {}) };
}

/** Go leaves out what is zero, except the cached count. */
function final(metrics: ReplyMetrics): Record<string, unknown> {
  const nonZero = (name: string, value: number): Record<string, number> => (value ? { [name]: value } : {});
  return {
    done: true,
    done_reason: metrics.doneReason,
    ...(metrics.context ? { context: metrics.context } : {}),
    ...nonZero("total_duration", metrics.total),
    ...nonZero("load_duration", metrics.load),
    ...nonZero("prompt_eval_count", metrics.promptTokens),
    ...(metrics.cachedTokens === undefined ? {} : { prompt_eval_cached_count: metrics.cachedTokens }),
    ...nonZero("prompt_eval_duration", metrics.prompt),
    ...nonZero("eval_count", metrics.outputTokens),
    ...nonZero("eval_duration", metrics.output),
  };
}

/** What LangChain tells about a model run at its start, on the way and at its end, whoever made the model. */
import type { LLMResult } from "@langchain/core/outputs";

/** What is known when a run starts. */
export interface RunStart {
  readonly model: string | null;
  /** Name of the model's class, for a model that does not say which one it runs. */
  readonly component: string;
  /** The provider's name: a run does not show its server. Empty when unknown. */
  readonly serverId: string;
  readonly numCtx: number | null;
  readonly numBatch: number | null;
  readonly tags: readonly string[];
}

/** Figures of one reply; null where the provider does not tell. Durations in milliseconds, counts in tokens. */
export interface ReplyFigures {
  readonly model: string | null;
  readonly promptTokens: number | null;
  readonly outputTokens: number | null;
  readonly cachedTokens: number | null;
  readonly totalMs: number | null;
  readonly loadMs: number | null;
  readonly promptMs: number | null;
  readonly outputMs: number | null;
  readonly doneReason: string | null;
  readonly toolCalls: number;
  /** The model of this package made the reply, and has recorded the call itself. */
  readonly isRecorded: boolean;
}

type Fields = Readonly<Record<string, unknown>>;

/** Reads the arguments of `handleChatModelStart` or `handleLLMStart`. */
export function readStart(llm: unknown, extraParams: unknown, tags: unknown, metadata: unknown): RunStart {
  const parameters = fieldsOf(fieldsOf(extraParams).invocation_params);
  const options = fieldsOf(parameters.options);
  const known = fieldsOf(metadata);
  const id = fieldsOf(llm).id;
  return {
    model:
      text(known.ls_model_name) ??
      text(parameters.model) ??
      text(parameters.model_name) ??
      text(parameters.modelName),
    component: (Array.isArray(id) ? text(id.at(-1)) : null) ?? "unknown",
    serverId: text(known.ls_provider) ?? "",
    numCtx: count(options.num_ctx) ?? null,
    numBatch: count(options.num_batch) ?? null,
    tags: Array.isArray(tags) ? tags : [],
  };
}

/** Whether a chunk without text carries something all the same: thinking or a tool call. */
export function hasOutput(chunk: unknown): boolean {
  const message = fieldsOf(fieldsOf(chunk).message);
  const calls = message.tool_call_chunks;
  const reasoning = fieldsOf(message.additional_kwargs).reasoning_content;
  return (Array.isArray(calls) && calls.length > 0) || text(reasoning) !== null;
}

/**
 * Reads the first generation of a run. Chat models tell in `usage_metadata` and `response_metadata`; text models
 * in `generationInfo` (Ollama's counts and durations) or `llmOutput.tokenUsage`.
 *
 * @example readReply({ generations: [[{ text: "hi", generationInfo: { eval_count: 7, eval_duration: 5e6 } }]] }).outputTokens // 7
 */
export function readReply(result: LLMResult): ReplyFigures {
  const generation = fieldsOf(result.generations?.[0]?.[0]);
  const message = fieldsOf(generation.message);
  const metadata: Fields = { ...fieldsOf(generation.generationInfo), ...fieldsOf(message.response_metadata) };
  const summed = fieldsOf(message.usage_metadata);
  // LangChain adds up from 0, so 0 tokens in all means that the provider did not tell.
  const usage: Fields = summed.total_tokens === 0 ? {} : summed;
  const total = fieldsOf(fieldsOf(result.llmOutput).tokenUsage);

  return {
    model: text(metadata.model) ?? text(metadata.model_name),
    promptTokens:
      count(usage.input_tokens) ?? count(metadata.prompt_eval_count) ?? count(total.promptTokens) ?? null,
    outputTokens:
      count(usage.output_tokens) ?? count(metadata.eval_count) ?? count(total.completionTokens) ?? null,
    cachedTokens:
      count(metadata.prompt_eval_cached_count) ??
      count(fieldsOf(usage.input_token_details).cache_read) ??
      null,
    totalMs: milliseconds(metadata.total_duration),
    loadMs: milliseconds(metadata.load_duration),
    promptMs: milliseconds(metadata.prompt_eval_duration),
    outputMs: milliseconds(metadata.eval_duration),
    doneReason: text(metadata.done_reason) ?? text(metadata.finish_reason) ?? text(metadata.stop_reason),
    toolCalls: Array.isArray(message.tool_calls) ? message.tool_calls.length : 0,
    isRecorded: text(fieldsOf(metadata.optimizer).id) !== null,
  };
}

/** Own fields of anything, so that what another library left out reads as undefined. */
function fieldsOf(value: unknown): Fields {
  return typeof value === "object" && value !== null ? (value as Fields) : {};
}

/** A non-empty string, or null. */
function text(value: unknown): string | null {
  return typeof value === "string" && value !== "" ? value : null;
}

/** A finite number of at least 0, or undefined. */
function count(value: unknown): number | undefined {
  return typeof value === "number" && Number.isFinite(value) && value >= 0 ? value : undefined;
}

function milliseconds(nanoseconds: unknown): number | null {
  const value = count(nanoseconds);
  return value === undefined ? null : value / 1e6;
}

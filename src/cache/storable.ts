/** Which replies may be given again. */
import type { AIMessage, BaseMessage } from "@langchain/core/messages";
import type { ChatGeneration, Generation } from "@langchain/core/outputs";

/** Reasons for the end that leave a reply incomplete, by Ollama, OpenAI, Anthropic and Google. */
const INCOMPLETE = new Set([
  "length",
  "max_tokens",
  "MAX_TOKENS",
  "content_filter",
  "SAFETY",
  "load",
  "unload",
  "error",
]);

/**
 * Why a reply must not be stored; null when it may be.
 *
 * @example refusalOf({ text: "" }) // "it is empty"
 * @example refusalOf({ text: "Blue." }) // null
 * @example refusalOf({ text: "Bl", generationInfo: { done_reason: "length" } }) // "it was cut: length"
 */
export function refusalOf(generation: Generation): string | null {
  const message: BaseMessage | undefined = (generation as ChatGeneration).message;
  const metadata: Record<string, unknown> = {
    ...generation.generationInfo,
    ...message?.response_metadata,
  };
  const reason = metadata.done_reason ?? metadata.finish_reason ?? metadata.stop_reason;
  if (typeof reason === "string" && INCOMPLETE.has(reason)) return `it was cut: ${reason}`;
  const { outcome, trimmedMessages = 0 } = (metadata.optimizer ?? {}) as {
    outcome?: Partial<Record<string, unknown>>;
    trimmedMessages?: number;
  };
  if (outcome?.cut === true || outcome?.shifted === true || trimmedMessages > 0) {
    return "a part of its prompt was not read";
  }
  if (outcome?.error || metadata.error) return "it ended in an error";
  const { tool_calls = [], invalid_tool_calls = [] } = (message ?? {}) as Partial<AIMessage>;
  if (invalid_tool_calls.length > 0) return "it has a tool call that cannot be read";
  const text = message ? message.text : generation.text;
  return text.trim() === "" && tool_calls.length === 0 ? "it is empty" : null;
}

/** What a cache key of LangChain's says of a call. */
export interface KeyFacts {
  /** null: the key does not name it. */
  readonly model: string | null;
  readonly temperature: number | null;
  readonly isOllama: boolean;
}

/**
 * Reads a key as `_getSerializedCacheKeyParametersForCall` writes it: `name:JSON` joined by commas, sorted by name.
 *
 * @example keyFacts('_type:"ollama",model:"qwen3:8b",temperature:0') // { model: "qwen3:8b", temperature: 0, isOllama: true }
 */
export function keyFacts(llmKey: string): KeyFacts {
  // Texts of tools and formats can hold anything.
  const outside = llmKey.replace(/"(?:[^"\\]|\\.)*"/g, '""');
  const model = /(?:^|,)model(?:_name|Name)?:("(?:[^"\\]|\\.)*")/.exec(llmKey)?.[1];
  const temperature = /(?:^|,)temperature:(-?[\d.]+(?:e[+-]?\d+)?)(?:,|$)/i.exec(outside)?.[1];
  return {
    model: model === undefined ? null : (JSON.parse(model) as string),
    temperature: temperature === undefined ? null : Number(temperature),
    isOllama: /(?:^|,)_type:"ollama"/.test(llmKey),
  };
}

/**
 * Why replies under a key are neither stored nor given again; null when they are.
 *
 * @param sampled replies that another call would give differently are wanted as well
 * @example keyRefusal({ model: "a", temperature: 0, isOllama: true }, false) // null
 */
export function keyRefusal({ model, temperature, isOllama }: KeyFacts, sampled: boolean): string | null {
  if (isOllama && model === null) {
    return "the cache key of this model class does not name the model; use OptimizedChatOllama or OptimizedOllama";
  }
  if (sampled || temperature === 0) return null;
  if (temperature !== null) {
    return temperature > 0 ? `temperature is ${temperature}; set 0, or sampled: true on the cache` : null;
  }
  // Ollama's own default is 0.8 (api/types.go DefaultOptions); of other services nothing is known.
  return isOllama
    ? "temperature is not set, and Ollama's default is 0.8; set 0, or sampled: true on the cache"
    : null;
}

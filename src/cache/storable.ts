/** Which replies may be given again. */
import type { AIMessage, BaseMessage } from "@langchain/core/messages";
import type { ChatGeneration, Generation } from "@langchain/core/outputs";
import type { SkipReason } from "./statistics.js";

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
 * @example refusalOf({ text: "" }) // "empty"
 * @example refusalOf({ text: "Blue." }) // null
 * @example refusalOf({ text: "Bl", generationInfo: { done_reason: "length" } }) // "cut"
 */
export function refusalOf(generation: Generation): SkipReason | null {
  const message: BaseMessage | undefined = (generation as ChatGeneration).message;
  const metadata: Record<string, unknown> = {
    ...generation.generationInfo,
    ...message?.response_metadata,
  };
  const reason = metadata.done_reason ?? metadata.finish_reason ?? metadata.stop_reason;
  if (typeof reason === "string" && INCOMPLETE.has(reason)) return "cut";
  const { outcome, trimmedMessages = 0 } = (metadata.optimizer ?? {}) as {
    outcome?: Partial<Record<string, unknown>>;
    trimmedMessages?: number;
  };
  if (outcome?.cut === true || outcome?.shifted === true || trimmedMessages > 0) return "cut";
  if (outcome?.error || metadata.error) return "other";
  const { tool_calls = [], invalid_tool_calls = [] } = (message ?? {}) as Partial<AIMessage>;
  if (invalid_tool_calls.length > 0) return "other";
  const text = message ? message.text : generation.text;
  return text.trim() === "" && tool_calls.length === 0 ? "empty" : null;
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

export interface KeyRefusal {
  readonly reason: SkipReason;
  /** For people. */
  readonly text: string;
}

/**
 * Why replies under a key are neither stored nor given again; null when they are.
 *
 * @param sampled replies that another call would give differently are wanted as well
 * @example keyRefusal({ model: "a", temperature: 0, isOllama: true }, false) // null
 */
export function keyRefusal({ model, temperature, isOllama }: KeyFacts, sampled: boolean): KeyRefusal | null {
  if (isOllama && model === null) {
    const text =
      "the cache key of this model class does not name the model; use OptimizedChatOllama or OptimizedOllama";
    return { reason: "other", text };
  }
  // Ollama's own default is 0.8 (api/types.go DefaultOptions); of other services nothing is known.
  if (sampled || !((temperature ?? (isOllama ? 0.8 : 0)) > 0)) return null;
  const found =
    temperature === null
      ? "temperature is not set, and Ollama's default is 0.8"
      : `temperature is ${temperature}`;
  return {
    reason: "sampled",
    text: `${found}; set 0, or keep such replies too (sampled: true, of serve --cache-sampled)`,
  };
}

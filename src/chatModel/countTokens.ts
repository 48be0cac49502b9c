/** Counting without a model object at hand. */
import type { BaseLanguageModelInput } from "@langchain/core/language_models/base";
import type { CountSource } from "../records.js";
import { OptimizedChatOllama } from "./optimizedChatOllama.js";
import type { OptimizedChatOllamaCallOptions, OptimizedChatOllamaInput } from "./options.js";

/** Whose tokens, and where its server is. */
export interface CountTokensFields
  extends Pick<OptimizedChatOllamaInput, "baseUrl" | "headers" | "fetch" | "store" | "logger">,
    Pick<OptimizedChatOllamaCallOptions, "tools" | "think"> {
  model: string;
}

/**
 * Tokens of a whole prompt as a model counts it, chat template and tools included, and how sure that is. The
 * model's tokenizer comes from its Ollama server; nothing is loaded, nothing else is asked.
 *
 * @example (await countTokens("Why is the sky blue?", { model: "qwen3:8b" })).tokens
 */
export async function countTokens(
  input: BaseLanguageModelInput,
  { tools, think, ...fields }: CountTokensFields,
): Promise<{ readonly tokens: number; readonly source: CountSource }> {
  return new OptimizedChatOllama(fields).countTokens(input, { tools, think });
}

/** LangChain's text model with the call options of this package in the types of its methods. */
import type { LLM } from "@langchain/core/language_models/llms";
import { Ollama } from "@langchain/ollama";
import type { OptimizedOllamaCallOptions, OptimizedOllamaInput } from "./options.js";

/** The methods with {@link OptimizedOllamaCallOptions}, and everything of `Ollama`, in this order. */
export type TypedOllama = LLM<OptimizedOllamaCallOptions> & Ollama;

/** The very class, seen through other types. */
export const TypedOllama: { lc_name(): string } & (new (fields: OptimizedOllamaInput) => TypedOllama) =
  Ollama as unknown as { lc_name(): string } & (new (fields: OptimizedOllamaInput) => TypedOllama);

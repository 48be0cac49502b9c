/** LangChain's text model with the call options of this package in the types of its methods. */
import type { LLM } from "@langchain/core/language_models/llms";
import { Ollama } from "@langchain/ollama";
import type { OptimizedOllamaCallOptions, OptimizedOllamaInput } from "./options.js";

/** Every method of `Ollama`, and the same again with {@link OptimizedOllamaCallOptions}. */
export type TypedOllama = Ollama & LLM<OptimizedOllamaCallOptions>;

/** The very class, seen through other types. */
export const TypedOllama: { lc_name(): string } & (new (fields: OptimizedOllamaInput) => TypedOllama) =
  Ollama as unknown as { lc_name(): string } & (new (fields: OptimizedOllamaInput) => TypedOllama);

/** `ChatOllama` with the call options of this package in the types of its methods. */
import type { BaseChatModel } from "@langchain/core/language_models/chat_models";
import type { AIMessageChunk } from "@langchain/core/messages";
import { ChatOllama } from "@langchain/ollama";
import type { OptimizedChatOllamaCallOptions, OptimizedChatOllamaInput } from "./options.js";

/** The methods with {@link OptimizedChatOllamaCallOptions}, and everything of `ChatOllama`. In this order: the first overload that fits is taken. */
export type TypedChatOllama = BaseChatModel<OptimizedChatOllamaCallOptions, AIMessageChunk> & ChatOllama;

/**
 * The very class, seen through other types. Augmenting LangChain's own option types instead would let plain
 * `ChatOllama` accept `numCtx` per call, which it ignores.
 */
export const TypedChatOllama: { lc_name(): string } & (new (
  fields: OptimizedChatOllamaInput,
) => TypedChatOllama) = ChatOllama as unknown as { lc_name(): string } & (new (
  fields: OptimizedChatOllamaInput,
) => TypedChatOllama);

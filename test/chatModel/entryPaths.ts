import type { BindToolsInput } from "@langchain/core/language_models/chat_models";
import { type AIMessage, type AIMessageChunk, HumanMessage } from "@langchain/core/messages";
import type { OptimizedChatOllama } from "../../src/chatModel/optimizedChatOllama.js";
import type { OptimizedChatOllamaCallOptions } from "../../src/chatModel/options.js";

type Options = Partial<OptimizedChatOllamaCallOptions> & { tools?: BindToolsInput[] };
type Reply = Pick<AIMessage, "text" | "tool_calls" | "usage_metadata" | "response_metadata">;

/** One way into a chat model, to its whole reply; and leaving it after the first piece of output. */
export interface EntryPath {
  readonly name: string;
  reply(model: OptimizedChatOllama, options?: Options, text?: string): Promise<Reply>;
  /** Absent where there is nothing to leave. */
  leave?(model: OptimizedChatOllama): Promise<void>;
}

const question = (text = "How are you?"): HumanMessage[] => [new HumanMessage(text)];
const prefersStreaming = { lc_prefer_streaming: true, name: "prefersStreaming", handleLLMNewToken() {} };

export const ENTRY_PATHS: readonly EntryPath[] = [
  {
    name: "invoke",
    reply: (model, options, text) => model.invoke(question(text), options),
  },
  {
    name: "stream",
    async reply(model, options, text) {
      let whole: AIMessageChunk | undefined;
      for await (const chunk of await model.stream(question(text), options)) {
        whole = whole ? whole.concat(chunk) : chunk;
      }
      return whole!;
    },
    async leave(model) {
      for await (const _ of await model.stream(question())) break;
    },
  },
  {
    name: "invoke with a handler that prefers streaming",
    reply: (model, options, text) =>
      model.invoke(question(text), { ...options, callbacks: [prefersStreaming as never] }),
  },
  {
    name: "streamEvents v2",
    async reply(model, options, text) {
      let output: AIMessage | undefined;
      for await (const event of model.streamEvents(question(text), { ...options, version: "v2" })) {
        if (event.event === "on_chat_model_end") output = event.data.output;
      }
      return output!;
    },
    async leave(model) {
      for await (const { event } of model.streamEvents(question(), { version: "v2" })) {
        if (event === "on_chat_model_stream") break;
      }
    },
  },
  {
    name: "streamEvents v1",
    async reply(model, options, text) {
      let output: AIMessage | undefined;
      for await (const { event, data } of model.streamEvents(question(text), { ...options, version: "v1" })) {
        if (event === "on_llm_end" || event === "on_chat_model_end") {
          output = data.output.generations?.[0]?.[0]?.message ?? data.output;
        }
      }
      return output!;
    },
    async leave(model) {
      for await (const { event } of model.streamEvents(question(), { version: "v1" })) {
        if (event.endsWith("_stream")) break;
      }
    },
  },
  {
    name: "streamEvents, native",
    reply: async (model, options, text) => model.streamEvents(question(text), options),
    async leave(model) {
      for await (const { event } of model.streamEvents(question())) {
        if (event === "content-block-delta") break;
      }
    },
  },
];

/** A request of `/v1/chat/completions` as a call of Ollama's `/api/chat`. */
import type { WireRequest } from "../../backend/wire.js";
import type { ServerContext } from "../options.js";
import type { Fields } from "./fields.js";
import { forcedFormat, withFunctions } from "./forcedCall.js";
import { messagesOf } from "./messages.js";
import { outputFormat } from "./outputFormat.js";
import { thinkOf } from "./reasoning.js";
import { invalidValue, unsupported } from "./refused.js";
import { defined, refuseSeveralAnswers, samplingOptions } from "./sampling.js";
import { type FunctionTool, type Tools, toolsOf, wireTools } from "./tools.js";

export interface ChatCall {
  readonly wire: WireRequest;
  readonly stream: boolean;
  /** A last chunk tells the tokens used. */
  readonly includeUsage: boolean;
  readonly forced?: readonly FunctionTool[];
  readonly isParallel: boolean;
}

/** Fields that change the answer and that no Ollama model can do; what only advises is ignored. */
const IMPOSSIBLE: Readonly<Record<string, string>> = {
  functions: "Use 'tools'.",
  function_call: "Use 'tool_choice'.",
  audio: "Local models answer in text.",
  web_search_options: "Nothing is searched here.",
};

export async function chatCall(context: ServerContext, request: Fields): Promise<ChatCall> {
  const model = request.requiredText("model");
  const messages = messagesOf(request);
  for (const [name, why] of Object.entries(IMPOSSIBLE)) {
    if (request.has(name)) throw unsupported(name, why);
  }
  refuseSeveralAnswers(request);
  const tools = toolsOf(request, "chat");
  const stream = request.flag("stream") ?? false;
  const logprobs = request.flag("logprobs");
  const topLogprobs = request.integer("top_logprobs", 0, 20);
  if (topLogprobs !== undefined && !logprobs) {
    throw invalidValue("top_logprobs", "only allowed when 'logprobs' is true.");
  }
  const limit = request.integer("max_completion_tokens", 1) ?? request.integer("max_tokens", 1);
  return {
    wire: defined({
      model,
      ...answerShape(messages, tools, outputFormat(request.object("response_format"), "chat")),
      think: await thinkOf(context, model, request, "reasoning_effort"),
      stream,
      logprobs: logprobs || undefined,
      top_logprobs: topLogprobs || undefined,
      options: { ...samplingOptions(request), ...(limit !== undefined && { num_predict: limit }) },
    }),
    stream,
    includeUsage: request.object("stream_options")?.flag("include_usage") ?? false,
    forced: tools.forced,
    isParallel: tools.isParallel,
  };
}

/** Messages, tools and format: a call that is forced takes the place of any other form. */
export function answerShape(
  messages: NonNullable<WireRequest["messages"]>,
  { offered, forced }: Tools,
  format: unknown,
): Pick<WireRequest, "messages" | "tools" | "format"> {
  if (forced) return { messages: withFunctions(messages, forced), format: forcedFormat(forced) };
  return defined({ messages, tools: wireTools(offered), format });
}

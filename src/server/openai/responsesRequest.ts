/** A request of `/v1/responses` as a call of Ollama's `/api/chat`. */
import type { WireRequest } from "../../backend/wire.js";
import type { ServerContext } from "../options.js";
import { answerShape } from "./chatRequest.js";
import type { Fields } from "./fields.js";
import { outputFormat } from "./outputFormat.js";
import { thinkOf } from "./reasoning.js";
import { unsupported } from "./refused.js";
import { inputMessages } from "./responseInput.js";
import { defined } from "./sampling.js";
import { type FunctionTool, toolsOf } from "./tools.js";

export interface ResponsesCall {
  readonly wire: WireRequest;
  readonly stream: boolean;
  readonly forced?: readonly FunctionTool[];
  readonly isParallel: boolean;
  /** `truncation: "auto"`: the client would rather have a shorter conversation than an error. */
  readonly mayCut: boolean;
  /** Fields of the reply that repeat the request. */
  readonly echo: Readonly<Record<string, unknown>>;
}

const NOT_STORED = "Responses are not stored here; send the whole conversation as 'input'.";
const IMPOSSIBLE: Readonly<Record<string, string>> = {
  previous_response_id: NOT_STORED,
  conversation: NOT_STORED,
  prompt: "There are no stored prompts here; send 'instructions' and 'input'.",
};

export async function responsesCall(context: ServerContext, request: Fields): Promise<ResponsesCall> {
  const model = request.requiredText("model");
  for (const [name, why] of Object.entries(IMPOSSIBLE)) {
    if (request.has(name)) throw unsupported(name, why);
  }
  if (request.flag("background")) throw unsupported("background", "Responses are not stored here.");
  const messages = inputMessages(request);
  const tools = toolsOf(request, "responses");
  const stream = request.flag("stream") ?? false;
  const topLogprobs = request.integer("top_logprobs", 0, 20);
  const logprobs =
    topLogprobs !== undefined || (request.texts("include") ?? []).includes("message.output_text.logprobs");
  const text = request.object("text")?.object("format");
  const reasoning = request.object("reasoning");
  const limit = request.integer("max_output_tokens", 1);
  // As in Ollama's own `/v1/responses`: the temperature of OpenAI's default, the model's own top_p.
  const temperature = request.decimal("temperature", 0, 2) ?? 1;
  const topP = request.decimal("top_p", 0, 1);
  const truncation = request.oneOf("truncation", ["auto", "disabled"] as const) ?? "disabled";
  return {
    wire: defined({
      model,
      ...answerShape(messages, tools, outputFormat(text, "responses")),
      think: reasoning && (await thinkOf(context, model, reasoning, "effort")),
      stream,
      logprobs: logprobs || undefined,
      top_logprobs: topLogprobs || undefined,
      options: defined({ temperature, top_p: topP, num_predict: limit }),
    }),
    stream,
    forced: tools.forced,
    isParallel: tools.isParallel,
    mayCut: truncation === "auto",
    echo: {
      instructions: request.text("instructions") ?? null,
      max_output_tokens: limit ?? null,
      metadata: request.object("metadata")?.values ?? {},
      parallel_tool_calls: tools.isParallel,
      reasoning: { effort: null, summary: null, ...reasoning?.values },
      safety_identifier: request.text("safety_identifier") ?? null,
      prompt_cache_key: request.text("prompt_cache_key") ?? null,
      temperature,
      text: { format: text?.values ?? { type: "text" } },
      tool_choice: request.get("tool_choice") ?? "auto",
      tools: request.get("tools") ?? [],
      top_logprobs: topLogprobs ?? 0,
      top_p: topP ?? 1,
      truncation,
    },
  };
}

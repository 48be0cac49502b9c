/** A reply of Ollama's `/api/chat` as chat completion, whole or in chunks. */
import type { WireChunk } from "../../backend/wire.js";
import { type Head, headOf } from "./identity.js";
import { finishReason, logprobOf, type ToolCall, toolCallOf, usageOf } from "./replyParts.js";
import { SSE_DONE, sseData } from "./sse.js";

export interface ReplyOptions {
  readonly model: string;
  readonly includeUsage: boolean;
  /** False: the first call of a tool is the only one. */
  readonly isParallel: boolean;
}

export function chatCompletion(chunk: WireChunk, { model, isParallel }: ReplyOptions): unknown {
  const { content = "", thinking, tool_calls } = chunk.message ?? {};
  const calls = permitted((tool_calls ?? []).map(toolCallOf), isParallel);
  return {
    ...headOf("chatcmpl-", "chat.completion", model),
    choices: [
      {
        index: 0,
        message: {
          role: "assistant",
          // OpenAI's null for an answer of calls alone.
          content: content === "" && calls.length > 0 ? null : content,
          refusal: null,
          ...reasoning(thinking),
          ...(calls.length > 0 && { tool_calls: calls.map(calling) }),
        },
        logprobs: logprobsOf(chunk),
        finish_reason: finishReason(chunk, calls.length > 0),
      },
    ],
    usage: usageOf(chunk),
  };
}

/** The role first, then what comes, then why it ended, then (on request) the tokens used, then `[DONE]`. */
export async function* chatChunks(
  chunks: AsyncIterable<WireChunk>,
  { model, includeUsage, isParallel }: ReplyOptions,
): AsyncGenerator<string> {
  const head = headOf("chatcmpl-", "chat.completion.chunk", model);
  const event = (delta: object, logprobs: unknown = null, finish_reason: string | null = null): string =>
    chunkEvent(head, [{ index: 0, delta, logprobs, finish_reason }], includeUsage ? null : undefined);

  yield event({ role: "assistant", content: "", refusal: null });
  let calls = 0;
  for await (const chunk of chunks) {
    const { content, thinking, tool_calls } = chunk.message ?? {};
    if (thinking) yield event(reasoning(thinking));
    if (content || chunk.logprobs?.length) yield event({ content: content ?? "" }, logprobsOf(chunk));
    for (const call of tool_calls ?? []) {
      if (calls > 0 && !isParallel) break;
      yield event({ tool_calls: [{ index: calls++, ...calling(toolCallOf(call)) }] });
    }
    if (chunk.done) {
      yield event({}, null, finishReason(chunk, calls > 0));
      if (includeUsage) yield chunkEvent(head, [], usageOf(chunk));
    }
  }
  yield SSE_DONE;
}

/** @param usage undefined leaves the field out, as OpenAI does when nobody asked for it */
function chunkEvent(head: Head, choices: readonly unknown[], usage: unknown): string {
  return sseData({ ...head, choices, usage });
}

function permitted(calls: readonly ToolCall[], isParallel: boolean): readonly ToolCall[] {
  return isParallel ? calls : calls.slice(0, 1);
}

function calling({ id, name, arguments: given }: ToolCall): object {
  return { id, type: "function", function: { name, arguments: given } };
}

/** OpenAI's chat completions have no field for it. DeepSeek's name for it, and Ollama's own. */
function reasoning(thinking: string | undefined): object {
  return thinking ? { reasoning_content: thinking, reasoning: thinking } : {};
}

function logprobsOf({ logprobs }: WireChunk): unknown {
  return logprobs?.length ? { content: logprobs.map(logprobOf), refusal: null } : null;
}

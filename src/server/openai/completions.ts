/** `/v1/completions` on Ollama's `/api/generate`. */
import type { WireChunk, WireLogprob, WireRequest } from "../../backend/wire.js";
import type { ServerContext } from "../options.js";
import { ask, wholeReply } from "./ask.js";
import { type Fields, missing } from "./fields.js";
import { type Head, headOf } from "./identity.js";
import { invalidValue, unsupportedValue } from "./refused.js";
import { finishReason, usageOf } from "./replyParts.js";
import { defined, refuseSeveralAnswers, samplingOptions } from "./sampling.js";
import { jsonAnswer, SSE_DONE, sseAnswer, sseData, withErrorEvent } from "./sse.js";

export async function completions(
  context: ServerContext,
  request: Request,
  fields: Fields,
): Promise<Response> {
  const wire = wireRequest(fields);
  const asked = await ask(context, request, "/api/generate", wire);
  const head = headOf("cmpl-", "text_completion", wire.model);
  if (wire.stream) {
    const includeUsage = fields.object("stream_options")?.flag("include_usage") ?? false;
    return sseAnswer(request, withErrorEvent(completionChunks(head, asked.chunks, includeUsage)), asked);
  }
  const chunk = await wholeReply(asked.chunks);
  const text = chunk.response ?? "";
  const logprobs = logprobsOf(chunk.logprobs, 0);
  const choice = { index: 0, text, logprobs, finish_reason: finishReason(chunk, false) };
  return jsonAnswer(request, { ...head, choices: [choice], usage: usageOf(chunk) }, asked.headers);
}

/** Goes through the model's template, as in Ollama's own `/v1/completions`. */
function wireRequest(fields: Fields): WireRequest {
  const model = fields.requiredText("model");
  refuseSeveralAnswers(fields);
  if (fields.flag("echo")) throw unsupportedValue("echo", "The prompt is not repeated.");
  const topLogprobs = fields.integer("logprobs", 0, 5);
  return defined({
    model,
    prompt: promptOf(fields),
    suffix: fields.text("suffix"),
    stream: fields.flag("stream") ?? false,
    logprobs: topLogprobs === undefined ? undefined : true,
    top_logprobs: topLogprobs || undefined,
    options: defined({ ...samplingOptions(fields), num_predict: fields.integer("max_tokens", 1) }),
  });
}

function promptOf(fields: Fields): string {
  const prompt = fields.get("prompt");
  if (prompt === undefined) throw missing("prompt");
  if (Array.isArray(prompt) && prompt.some((part) => typeof part !== "string")) {
    throw unsupportedValue("prompt", "Token ids are of OpenAI's tokenizers; send text.");
  }
  const [text, ...more] = fields.texts("prompt")!;
  if (more.length > 0) throw unsupportedValue("prompt", "One prompt is answered for each request.");
  // Ollama takes a call without a prompt for a preload and answers nothing.
  if (!text) throw invalidValue("prompt", "it is empty.");
  return text;
}

async function* completionChunks(
  head: Head,
  chunks: AsyncIterable<WireChunk>,
  includeUsage: boolean,
): AsyncGenerator<string> {
  const usage = includeUsage ? null : undefined;
  let offset = 0;
  for await (const chunk of chunks) {
    const text = chunk.response ?? "";
    if (text || chunk.logprobs?.length) {
      const logprobs = logprobsOf(chunk.logprobs, offset);
      yield sseData({ ...head, choices: [{ index: 0, text, logprobs, finish_reason: null }], usage });
      offset += text.length;
    }
    if (chunk.done) {
      const choice = { index: 0, text: "", logprobs: null, finish_reason: finishReason(chunk, false) };
      yield sseData({ ...head, choices: [choice], usage });
      if (includeUsage) yield sseData({ ...head, choices: [], usage: usageOf(chunk) });
    }
  }
  yield SSE_DONE;
}

/** The older form: lists side by side. Offsets are in characters of the text so far. */
function logprobsOf(logprobs: readonly WireLogprob[] | undefined, start: number): unknown {
  if (!logprobs?.length) return null;
  let offset = start;
  return {
    tokens: logprobs.map(({ token }) => token),
    token_logprobs: logprobs.map(({ logprob }) => logprob),
    top_logprobs: logprobs.map(({ top_logprobs = [] }) =>
      Object.fromEntries(top_logprobs.map(({ token, logprob }) => [token, logprob])),
    ),
    text_offset: logprobs.map(({ token }) => {
      offset += token.length;
      return offset - token.length;
    }),
  };
}

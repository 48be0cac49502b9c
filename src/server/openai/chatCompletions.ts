/** `/v1/chat/completions` on Ollama's `/api/chat`. */
import type { ServerContext } from "../options.js";
import { ask, wholeReply } from "./ask.js";
import { chatChunks, chatCompletion } from "./chatReply.js";
import { chatCall } from "./chatRequest.js";
import type { Fields } from "./fields.js";
import { asForcedCall } from "./forcedCall.js";
import { jsonAnswer, sseAnswer, withErrorEvent } from "./sse.js";

export async function chatCompletions(
  context: ServerContext,
  request: Request,
  fields: Fields,
): Promise<Response> {
  const call = await chatCall(context, fields);
  const asked = await ask(context, request, "/api/chat", call.wire);
  const answered = call.forced ? asForcedCall(asked.chunks, call.forced) : asked.chunks;
  const options = { model: call.wire.model, includeUsage: call.includeUsage, isParallel: call.isParallel };
  if (call.stream) return sseAnswer(request, withErrorEvent(chatChunks(answered, options)), asked);
  return jsonAnswer(request, chatCompletion(await wholeReply(answered), options), asked.headers);
}

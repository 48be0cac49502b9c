/** `/v1/chat/completions` on Ollama's `/api/chat`. */
import type { ServerContext } from "../options.js";
import { ask, wholeReply } from "./ask.js";
import { chatChunks, chatCompletion } from "./chatReply.js";
import { chatCall } from "./chatRequest.js";
import type { Fields } from "./fields.js";
import { asForcedCall } from "./forcedCall.js";
import { sseResponse, withErrorEvent } from "./sse.js";

export async function chatCompletions(
  context: ServerContext,
  request: Request,
  fields: Fields,
): Promise<Response> {
  const call = await chatCall(context, fields);
  const { chunks, headers, upstream } = await ask(context, request, "/api/chat", call.wire);
  const answered = call.forced ? asForcedCall(chunks, call.forced) : chunks;
  const options = { model: call.wire.model, includeUsage: call.includeUsage, isParallel: call.isParallel };
  if (call.stream) return sseResponse(withErrorEvent(chatChunks(answered, options)), upstream, headers);
  return Response.json(chatCompletion(await wholeReply(answered), options), { headers });
}

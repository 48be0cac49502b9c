/** Calls the model for the OpenAI surface, with the window decided. */
import type { WireChunk, WireRequest } from "../../backend/wire.js";
import { sendDecided } from "../decidedCall.js";
import type { ServerContext } from "../options.js";

export interface Asked {
  readonly chunks: AsyncIterable<WireChunk>;
  /** The decision. */
  readonly headers: Readonly<Record<string, string>>;
  /** Aborts the call. */
  readonly upstream: AbortController;
}

/** Resolves with the first line of the reply: until then a failure has a status of its own. */
export async function ask(
  context: ServerContext,
  request: Request,
  path: "/api/chat" | "/api/generate",
  body: WireRequest,
  onOverflow: ServerContext["onOverflow"] = context.onOverflow,
): Promise<Asked> {
  const { reply, upstream, headers } = await sendDecided(context, request, {
    path,
    body,
    onOverflow,
    reservesNumPredict: false,
    surface: "openai",
    route: new URL(request.url).pathname,
  });
  return { chunks: dataOf(reply.chunks), headers, upstream };
}

async function* dataOf(chunks: AsyncIterable<{ readonly data: WireChunk }>): AsyncGenerator<WireChunk> {
  for await (const { data } of chunks) yield data;
}

/** The one record of a reply that is not streamed. */
export async function wholeReply(chunks: AsyncIterable<WireChunk>): Promise<WireChunk> {
  let whole: WireChunk = {};
  for await (const chunk of chunks) whole = chunk;
  return whole;
}

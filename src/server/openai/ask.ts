/** Calls the model for the OpenAI surface, with the window decided. */
import type { WireChunk, WireRequest } from "../../backend/wire.js";
import { abortWith } from "../bodyStream.js";
import { clientOf } from "../client.js";
import { decisionHeaders } from "../ollamaRoutes.js";
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
  const upstream = abortWith(request.signal);
  const reply = await context.engine.send({
    origin: context.origin,
    headers: context.headers,
    transport: context.transport,
    path,
    body,
    signal: upstream.signal,
    optimize: true,
    onOverflow,
    reservesNumPredict: false,
    source: "server",
    client: clientOf(request),
    surface: "openai",
    route: new URL(request.url).pathname,
  });
  return { chunks: dataOf(reply.chunks), headers: decisionHeaders(reply.decision()), upstream };
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

/** Requests about which nothing is decided: the same bytes there and back. */
import { unreachable } from "../backend/refusal.js";
import { abortWith, bodyStream } from "./bodyStream.js";
import type { ServerContext } from "./options.js";

/** What is sent on. Not Authorization (it is this server's), not cookies, not Host, nothing of the connection. */
const SENT_ON = ["accept", "content-type", "user-agent"];
/** Belong to one connection (RFC 9110, 7.6.1). */
const OF_THE_CONNECTION = [
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
];

/**
 * Sends a request on and streams its reply.
 *
 * @param body what was read of the request; undefined for none
 * @throws UpstreamError `SERVER_UNREACHABLE`
 */
export async function passThrough(
  context: ServerContext,
  request: Request,
  body: Uint8Array | string | undefined,
): Promise<Response> {
  const { pathname, search } = new URL(request.url);
  const upstream = abortWith(request.signal);
  const headers: Record<string, string> = { ...context.headers };
  for (const name of SENT_ON) {
    const value = request.headers.get(name);
    if (value !== null) headers[name] ??= value;
  }
  const reply = await context
    .transport(context.origin + pathname + search, {
      method: request.method,
      headers,
      body: body === undefined || body.length === 0 ? undefined : body,
      signal: upstream.signal,
    })
    .catch((error: unknown) => {
      throw upstream.signal.aborted ? upstream.signal.reason : unreachable(context.origin, error);
    });
  const answered = new Headers(reply.headers);
  for (const name of OF_THE_CONNECTION) answered.delete(name);
  const hasBody = request.method !== "HEAD" && reply.status !== 204 && reply.status !== 304;
  return new Response(hasBody ? bodyStream(reply.body, upstream) : null, {
    status: reply.status,
    headers: answered,
  });
}

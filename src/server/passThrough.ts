/** Requests about which nothing is decided: the same bytes there and back. */
import { unreachable } from "../backend/refusal.js";
import { isStream, readBody, type WireInit } from "../backend/transport.js";
import { OptimizerError } from "../errors.js";
import { answer } from "./answer.js";
import { upstreamOf } from "./bodyStream.js";
import { exchangeOf } from "./exchange.js";
import type { ServerContext } from "./options.js";
import { partsOf, readRequestBody } from "./requestBody.js";

/** Smaller requests are read whole: they can be sent again when Ollama had just closed a kept connection. */
const READ_WHOLE_BYTES = 65_536;
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
 * @throws UpstreamError `SERVER_UNREACHABLE`; else what reading the body throws
 */
export async function passThrough(
  context: ServerContext,
  request: Request,
  body: WireInit["body"],
): Promise<Response> {
  const { pathname, search } = new URL(request.url);
  const upstream = upstreamOf(request);
  const headers: Record<string, string> = { ...context.headers };
  for (const name of isStream(body) ? [...SENT_ON, "content-length"] : SENT_ON) {
    const value = request.headers.get(name);
    if (value !== null) headers[name] ??= value;
  }
  const reply = await context
    .transport(context.origin + pathname + search, {
      method: request.method,
      headers,
      body: body && (isStream(body) || body.length > 0) ? body : undefined,
      signal: upstream.signal,
    })
    .catch((error: unknown) => {
      if (upstream.signal.aborted) throw upstream.signal.reason;
      throw OptimizerError.isInstance(error) ? error : unreachable(context.origin, error);
    });
  const answered = { ...reply.headers };
  for (const name of OF_THE_CONNECTION) delete answered[name];
  const hasBody = request.method !== "HEAD" && reply.status !== 204 && reply.status !== 304;
  // Its connection stays in use until the end was read, also where there is nothing to read.
  if (!hasBody) await readBody(reply);
  const answeredBody = hasBody ? { parts: reply.body, upstream } : null;
  return answer(request, { status: reply.status, headers: answered, body: answeredBody });
}

/**
 * A request's body as it is sent on: beyond a few pages part by part.
 *
 * @param limit bytes
 */
export async function bodyToSendOn(request: Request, limit: number): Promise<WireInit["body"]> {
  if (request.method === "GET" || request.method === "HEAD") return undefined;
  if (!exchangeOf(request) && !request.body) return undefined;
  const announced = request.headers.get("content-length");
  const isSmall = announced !== null && Number(announced) <= READ_WHOLE_BYTES;
  return isSmall ? readRequestBody(request, limit) : partsOf(request, limit);
}

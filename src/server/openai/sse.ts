/** Server-sent events, as OpenAI streams them. */
import { bodyStream } from "../bodyStream.js";
import { isAbort } from "../failure.js";
import { errorObject } from "./failure.js";

const HEADERS = { "content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache" };

/** @example sseData({ a: 1 }) // "data: {\"a\":1}\n\n" */
export function sseData(data: unknown): string {
  return `data: ${JSON.stringify(data)}\n\n`;
}

export const SSE_DONE = "data: [DONE]\n\n";

/**
 * A reply of events. Reads nothing ahead; a client that leaves aborts the upstream call.
 *
 * @param events each with its empty line
 */
export function sseResponse(
  events: AsyncIterable<string>,
  upstream: AbortController,
  headers: Readonly<Record<string, string>>,
): Response {
  return new Response(bodyStream(encoded(events), upstream), { headers: { ...HEADERS, ...headers } });
}

async function* encoded(events: AsyncIterable<string>): AsyncGenerator<Uint8Array> {
  const encoder = new TextEncoder();
  for await (const event of events) yield encoder.encode(event);
}

/** What fails after the first event becomes the last one: clients throw at `error`. */
export async function* withErrorEvent(events: AsyncIterable<string>): AsyncGenerator<string> {
  try {
    yield* events;
  } catch (error) {
    if (isAbort(error)) throw error;
    yield sseData({ error: errorObject(error) });
  }
}

/** Server-sent events, as OpenAI streams them. */
import { answer } from "../answer.js";
import { isAbort } from "../failure.js";
import type { Asked } from "./ask.js";
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
 * @param parts events, each with its empty line
 */
export function sseAnswer(
  request: Request,
  parts: AsyncIterable<string>,
  { upstream, headers }: Pick<Asked, "upstream" | "headers">,
): Promise<Response> {
  return answer(request, { status: 200, headers: { ...HEADERS, ...headers }, body: { parts, upstream } });
}

/** A reply of one object. */
export function jsonAnswer(
  request: Request,
  data: unknown,
  headers: Readonly<Record<string, string>>,
): Promise<Response> {
  const body = JSON.stringify(data);
  return answer(request, { status: 200, headers: { "content-type": "application/json", ...headers }, body });
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

/** From what is read of the server to a body that a client reads, one part at a time. */
import { exchangeOf } from "./exchange.js";

/** Where a body comes from. */
export interface BodySource {
  readonly parts: AsyncIterable<string | Uint8Array>;
  /** Ends the upstream call. */
  readonly upstream: AbortController;
}

/** An abort of one request's upstream call: by its client's leaving, or by its reply being given up. */
export function upstreamOf(request: Request): AbortController {
  const controller = new AbortController();
  // Signals abort with a text; who records the call looks for an AbortError.
  const abort = (): void => controller.abort(clientLeft());
  const outgoing = exchangeOf(request)?.outgoing;
  if (outgoing) {
    if (outgoing.destroyed) abort();
    else {
      outgoing.once("close", () => {
        if (!outgoing.writableFinished) abort();
      });
    }
  } else if (request.signal.aborted) abort();
  else request.signal.addEventListener("abort", abort, { once: true });
  return controller;
}

/**
 * A body that is read ahead by nothing. A client that leaves aborts the upstream call first: a pending read would
 * otherwise wait for the server's next part.
 */
export function bodyStream({ parts, upstream }: BodySource): ReadableStream {
  const encoder = new TextEncoder();
  let iterator: AsyncIterator<string | Uint8Array> | undefined;
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        iterator ??= parts[Symbol.asyncIterator]();
        const { done, value } = await iterator.next();
        if (done) controller.close();
        else controller.enqueue(typeof value === "string" ? encoder.encode(value) : value);
      },
      async cancel() {
        upstream.abort(clientLeft());
        await iterator?.return?.().catch(() => {});
      },
    },
    { highWaterMark: 0 },
  );
}

export function clientLeft(): DOMException {
  return new DOMException("The client left", "AbortError");
}

/** From what is read of the server to a body that a client reads, one part at a time. */

/** Where a body comes from. */
export interface BodySource {
  readonly parts: AsyncIterable<Uint8Array>;
  /** Ends the upstream call. */
  readonly upstream: AbortController;
}

const sources = new WeakMap<object, BodySource>();

/** The source of a response whose body was made by {@link bodyStream}, to be read instead of it. */
export function sourceOf({ body }: Response): BodySource | undefined {
  return body ? sources.get(body) : undefined;
}

/** An abort of one request's upstream call: by its client's leaving, or by its reply being given up. */
export function abortWith(signal: AbortSignal): AbortController {
  const controller = new AbortController();
  // The listener aborts with a text; who records the call looks for an AbortError.
  const abort = (): void => controller.abort(clientLeft());
  if (signal.aborted) abort();
  else signal.addEventListener("abort", abort, { once: true });
  return controller;
}

/**
 * A body that is read ahead by nothing. A client that leaves aborts the upstream call first: a pending read would
 * otherwise wait for the server's next part.
 */
export function bodyStream(parts: AsyncIterable<Uint8Array>, upstream: AbortController): ReadableStream {
  let iterator: AsyncIterator<Uint8Array> | undefined;
  const stream = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        iterator ??= parts[Symbol.asyncIterator]();
        const next = await iterator.next();
        if (next.done) controller.close();
        else controller.enqueue(next.value);
      },
      async cancel() {
        upstream.abort(clientLeft());
        await iterator?.return?.().catch(() => {});
      },
    },
    { highWaterMark: 0 },
  );
  sources.set(stream, { parts, upstream });
  return stream;
}

export function clientLeft(): DOMException {
  return new DOMException("The client left", "AbortError");
}

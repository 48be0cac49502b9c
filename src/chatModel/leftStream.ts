/** Leaving LangChain's streams of events, versions 1 and 2. */
import type { IterableReadableStream } from "@langchain/core/utils/stream";

/**
 * Lets `break` stop the server. Core's version 1 waits for the whole run when it is left; version 2 aborts it, and
 * rejects with that very abort (core 1.2.13).
 */
export function stopsWhenLeft<T>(
  events: IterableReadableStream<T>,
  stop: () => void,
): IterableReadableStream<T> {
  const leave = events.return.bind(events);
  return Object.defineProperty(events, "return", {
    value: async (value?: T) => {
      stop();
      return leave().catch(() => ({ done: true, value }));
    },
  });
}

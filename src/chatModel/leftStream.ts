/** Leaving LangChain's streams of events, versions 1 and 2. */
import { IterableReadableStream } from "@langchain/core/utils/stream";

/**
 * Lets `break` and `cancel` stop the server, the latter being how an HTTP response ends whose reader went away.
 * Core's version 1 waits for the whole run when it is left, encoded events are not told of it, and version 2
 * aborts it, and rejects with that very abort (core 1.2.13).
 */
export function stopsWhenLeft<T>(
  events: IterableReadableStream<T>,
  stop: () => void,
): IterableReadableStream<T> {
  const reader = events.getReader();
  return new IterableReadableStream<T>({
    async pull(controller) {
      const { done, value } = await reader.read();
      if (done) controller.close();
      else controller.enqueue(value);
    },
    async cancel(reason) {
      stop();
      await reader.cancel(reason).catch(() => {});
    },
  });
}

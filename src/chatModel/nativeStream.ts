/** Repairs of LangChain's content-block stream (`model.streamEvents()`, LangGraph's v3 streams). */
import { randomUUID } from "node:crypto";
import type { ChatModelStreamEvent } from "@langchain/core/language_models/event";
import type { ChatModelStream } from "@langchain/core/language_models/stream";
import type { WireChunk, WireToolCall } from "../backend/wire.js";
import type { Lines } from "./perCallClient.js";

/**
 * Parallel tool calls as one list, ahead of the figures. `@langchain/ollama` numbers tool calls within each line,
 * so of two calls in two lines the second would overwrite the first.
 */
export async function* withJoinedToolCalls(
  lines: Lines,
  onDone: (line: WireChunk) => void,
): AsyncGenerator<WireChunk> {
  const calls: WireToolCall[] = [];
  for await (const line of lines) {
    const { tool_calls = [], ...message } = line.message ?? { role: "assistant", content: "" };
    calls.push(...tool_calls);
    if (!line.done) {
      yield { ...line, message };
      continue;
    }
    onDone(line);
    yield { ...line, message: calls.length > 0 ? { ...message, tool_calls: calls } : message };
  }
}

/** Events with an id for each tool call, and with the server's figures at the end. */
export async function* withIdsAndFigures(
  events: AsyncIterable<ChatModelStreamEvent>,
  done: () => WireChunk | undefined,
): AsyncGenerator<ChatModelStreamEvent> {
  const ids = new Map<number, string>();
  for await (const event of events) {
    if (event.event === "content-block-start" || event.event === "content-block-finish") {
      const { type } = event.content;
      if (type === "tool_call_chunk" || type === "tool_call" || type === "invalid_tool_call") {
        const id = ids.get(event.index) ?? randomUUID();
        ids.set(event.index, id);
        yield { ...event, content: { ...event.content, id } };
        continue;
      }
    }
    if (event.event === "message-finish") {
      const { message: _, ...figures } = done() ?? {};
      // `@langchain/ollama` leaves out a usage of nothing, which is that of a reply from a cache.
      const usage = event.usage ?? ("cache" in figures ? NO_USAGE : undefined);
      yield { ...event, usage, responseMetadata: { ...figures, ...event.responseMetadata } };
      continue;
    }
    yield event;
  }
}

const NO_USAGE = { input_tokens: 0, output_tokens: 0, total_tokens: 0 };

/** LangChain's stream with the replay buffer that all its views read. */
interface Buffered {
  readonly _buffer: { iterate(): AsyncGenerator<ChatModelStreamEvent> };
}

/**
 * Lets `break` stop the server: a stream of LangChain reads on in the background for those who come later. It
 * stops when a reader of the events or of the text leaves early and nobody else reads in the same turn of the
 * event loop, so that `await stream` right after the `break` still gets the whole message.
 */
export function stopWhenLeft(stream: ChatModelStream, stop: () => void): ChatModelStream {
  const buffer = (stream as unknown as Buffered)._buffer;
  const iterate = buffer.iterate.bind(buffer);
  let readers = 0;
  buffer.iterate = async function* () {
    readers++;
    try {
      yield* iterate();
    } finally {
      readers--;
    }
  };
  async function* watched<T>(read: () => AsyncIterator<T>): AsyncGenerator<T> {
    let finished = false;
    try {
      yield* { [Symbol.asyncIterator]: read };
      finished = true;
    } finally {
      if (!finished) setImmediate(() => readers === 0 && stop());
    }
  }
  const events = stream[Symbol.asyncIterator].bind(stream);
  const { text } = stream;
  const words = text[Symbol.asyncIterator].bind(text);
  const watchedText = Object.create(text, { [Symbol.asyncIterator]: { value: () => watched(words) } });
  return Object.defineProperties(stream, {
    [Symbol.asyncIterator]: { value: () => watched(events) },
    text: { get: () => watchedText },
  });
}

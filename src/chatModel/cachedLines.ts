/** Streams from and into a cache, as lines of the wire, so that every way of streaming reads them as it always does. */
import type { AIMessage, AIMessageChunk } from "@langchain/core/messages";
import type { ChatGeneration } from "@langchain/core/outputs";
import type { WireChunk } from "../backend/wire.js";
import type { StreamingCache } from "../cache/streamingCache.js";
import type { Lines } from "./perCallClient.js";

/** One streaming call, as a cache sees it. */
export interface CachedCall {
  readonly cache: StreamingCache;
  readonly prompt: string;
  readonly llmKey: string;
  readonly signal: AbortSignal | undefined;
  /** Sends the call. */
  readonly send: () => Promise<Lines>;
  /** The message that LangChain makes of all lines. */
  readonly join: (lines: readonly WireChunk[]) => Promise<AIMessageChunk | undefined>;
}

/** Equal calls do not wait longer than this for a consumer that leaves a stream lying, in milliseconds. */
const CONSUMER_MS = 1_000;

/** Lines from the cache, or from the server and then into the cache. A stream that is left early is not stored. */
export async function* cachedLines(call: CachedCall): AsyncGenerator<WireChunk> {
  const { cache, prompt, llmKey } = call;
  const land = await cache.enter(prompt, llmKey, call.signal);
  let isGivenUp = true;
  try {
    const found = (await cache.lookup(prompt, llmKey))?.[0] as ChatGeneration | undefined;
    if (found?.message) {
      yield* replayed(found.message as AIMessage);
      return;
    }
    const lines: WireChunk[] = [];
    for await (const line of await call.send()) {
      lines.push(line);
      // Before the consumer is told of the end: it may ask the same at once.
      if (line.done) await store(call, lines);
      const late = setTimeout(land, CONSUMER_MS, true).unref();
      try {
        yield line;
      } finally {
        clearTimeout(late);
      }
    }
    isGivenUp = false;
  } catch (error) {
    isGivenUp = call.signal?.aborted ?? false;
    throw error;
  } finally {
    land(isGivenUp);
  }
}

async function store(
  { cache, prompt, llmKey, join }: CachedCall,
  lines: readonly WireChunk[],
): Promise<void> {
  const message = await join(lines);
  if (message) await cache.update(prompt, llmKey, [{ text: message.text, message } as ChatGeneration]);
}

/** The lines of a reply that was kept: word by word, and without usage. */
export function* replayed(message: AIMessage): Generator<WireChunk> {
  const { text, tool_calls = [], additional_kwargs, response_metadata } = message;
  const { reasoning_content: thinking } = additional_kwargs;
  for (const word of wordsOf(typeof thinking === "string" ? thinking : "")) {
    yield lineOf({ content: "", thinking: word });
  }
  for (const word of wordsOf(text)) yield lineOf({ content: word });
  for (const { name, args } of tool_calls) {
    yield lineOf({ content: "", tool_calls: [{ function: { name, arguments: args } }] });
  }
  yield { ...response_metadata, ...lineOf({ content: "" }), done: true, prompt_eval_count: 0, eval_count: 0 };
}

function lineOf(message: Omit<NonNullable<WireChunk["message"]>, "role">): WireChunk {
  return { message: { role: "assistant", ...message } };
}

/**
 * Words with the space before them; joined they are the text.
 *
 * @example wordsOf(" one  two\n") // [" one", "  two", "\n"]
 */
export function wordsOf(text: string): readonly string[] {
  return text.match(/\s*\S+|\s+$/g) ?? [];
}

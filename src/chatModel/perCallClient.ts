/** The Ollama client that LangChain's classes see during one call. */
import type { WireChunk, WireRequest } from "../backend/wire.js";
import type { EngineCall, EngineReply } from "../engine/types.js";

/** Lines of a reply as ollama-js yields them; an array when there are none. */
export type Lines = AsyncIterable<WireChunk> | readonly WireChunk[];

/**
 * A client whose `chat` and `generate` are answered by `answer`; listing, pulling and showing stay the client's
 * own. Its `abort` does nothing: that of ollama-js ends every stream of the client, ours end by their signal.
 */
export function perCallClient<C extends object>(
  client: C,
  answer: (path: EngineCall["path"], request: WireRequest) => Promise<Lines>,
): C {
  return Object.create(client, {
    chat: { value: (request: WireRequest) => answer("/api/chat", request) },
    generate: { value: (request: WireRequest) => answer("/api/generate", request) },
    abort: { value: () => {} },
  }) as C;
}

/**
 * The lines of a reply; the last one carries the decision with its outcome, so that LangChain's classes put it
 * beside the durations. Leaving early stops the server.
 */
export async function* linesOf(reply: EngineReply, explain = false): AsyncGenerator<WireChunk> {
  for await (const { data } of reply.chunks) {
    if (!data.done) {
      yield data;
      continue;
    }
    const optimizer = reply.decision();
    yield {
      ...data,
      optimizer,
      ...(explain && { optimizer_explanation: explanation(optimizer) }),
    } as WireChunk;
  }
}

function explanation({
  reason,
  promptTokens,
  countSource,
  outputReserve,
  numCtx,
  decideMs,
}: Decision): string {
  const tokens = (value: number | null): string => (value === null ? "unknown" : `${value} tokens`);
  return [
    reason,
    `Prompt: ${tokens(promptTokens)} (${countSource}).`,
    `Reserve for the reply: ${tokens(outputReserve)}.`,
    `Window: ${tokens(numCtx)}.`,
    `Decided in ${decideMs.toFixed(1)} ms.`,
  ].join(" ");
}
type Decision = ReturnType<EngineReply["decision"]>;

/** Sends a client's call with the window decided: one way for Ollama's surface and OpenAI's. */
import type { DecisionRecord } from "../records.js";
import { upstreamOf } from "./bodyStream.js";
import type { ServerCall } from "./callEngine.js";
import { clientOf } from "./client.js";
import { exchangeOf } from "./exchange.js";
import type { ServerContext } from "./options.js";
import type { AnsweredReply } from "./replyCache/replyCache.js";

export interface DecidedCall {
  readonly reply: AnsweredReply;
  /** Aborts the call. */
  readonly upstream: AbortController;
  /** The decision and what a cache did, for those who look: nothing is added to bodies. */
  readonly headers: Readonly<Record<string, string>>;
}

/** Resolves with the first line of the reply: until then a failure has a status of its own. */
export async function sendDecided(
  context: ServerContext,
  request: Request,
  call: Pick<ServerCall, "path" | "body"> & Partial<ServerCall>,
): Promise<DecidedCall> {
  const upstream = upstreamOf(request);
  const sent: ServerCall = {
    origin: context.origin,
    headers: context.headers,
    transport: context.transport,
    signal: upstream.signal,
    optimize: true,
    onOverflow: context.onOverflow,
    source: "server",
    client: clientOf(request),
    // Behind a socket nobody can ask for the record before it is there.
    recordsLater: exchangeOf(request) !== undefined,
    ...call,
  };
  const cached = context.cache && (await context.cache.answer(sent, upstream.signal));
  if (cached) {
    const { reply, headers } = cached;
    return { reply, upstream, headers: { ...decisionHeaders(reply.decision?.()), ...headers } };
  }
  const reply = await context.engine.send(sent);
  return { reply, upstream, headers: decisionHeaders(reply.decision()) };
}

function decisionHeaders(decision: DecisionRecord | undefined): Record<string, string> {
  if (!decision) return {};
  return {
    "x-optimizer-action": decision.action,
    ...(decision.numCtx !== null && { "x-optimizer-num-ctx": String(decision.numCtx) }),
    ...(decision.templateId !== null && { "x-optimizer-template": decision.templateId }),
  };
}

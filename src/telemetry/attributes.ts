/**
 * A request in the words of OpenTelemetry's GenAI conventions (status: development; read at
 * open-telemetry/semantic-conventions-genai, docs/gen-ai/gen-ai-spans.md, 2026).
 */
import type { Attributes } from "@opentelemetry/api";
import type { RequestRecord } from "../records.js";

/** What spans and metrics share; few values each, so that a metric's series stay few. */
export function commonAttributes(request: RequestRecord): Attributes {
  const { source, serverId, model, error } = request;
  return {
    "gen_ai.operation.name": "chat",
    // The handler sees the models of any provider, and has its name in place of a server.
    "gen_ai.provider.name": source === "callback" ? serverId || "unknown" : "ollama",
    "gen_ai.request.model": model,
    "gen_ai.response.model": model,
    ...serverOf(serverId),
    ...(error !== null && { "error.type": error }),
  };
}

/**
 * What is of one call alone. The prompt and the reply only where `includeText` asks for them and the request has
 * them.
 */
export function spanAttributes(request: RequestRecord, includeText: boolean): Attributes {
  const { decision, text } = request;
  return {
    ...commonAttributes(request),
    ...present({
      "gen_ai.request.max_tokens": decision?.numPredict,
      "gen_ai.response.finish_reasons": request.doneReason === null ? null : [request.doneReason],
      "gen_ai.response.time_to_first_chunk": seconds(request.timeToFirstTokenMs),
      "gen_ai.usage.input_tokens": request.promptTokens,
      "gen_ai.usage.output_tokens": request.outputTokens,
      "gen_ai.usage.cache_read.input_tokens": request.cachedTokens,
      "ollama_optimizer.request_id": request.id,
      "ollama_optimizer.template_id": request.templateId,
      "ollama_optimizer.num_ctx": request.numCtx,
      "ollama_optimizer.num_batch": request.numBatch,
      "ollama_optimizer.load_duration": seconds(request.loadMs),
      "ollama_optimizer.action": decision?.action,
      "ollama_optimizer.reason": decision?.reason,
      "ollama_optimizer.retries": decision?.outcome?.retries,
      "ollama_optimizer.reloaded": decision?.outcome?.reloaded,
      "ollama_optimizer.cut": decision?.outcome?.cut,
      "ollama_optimizer.quality": request.quality,
    }),
    ...(includeText &&
      text && {
        "gen_ai.input.messages": messages("user", text.prompt),
        "gen_ai.output.messages": messages("assistant", text.reply),
      }),
  };
}

/** @param ms milliseconds; the conventions want seconds */
export function seconds(ms: number | null): number | null {
  return ms === null ? null : ms / 1000;
}

function messages(role: string, content: string): string {
  return JSON.stringify([{ role, parts: [{ type: "text", content }] }]);
}

/** `http://127.0.0.1:11434@machine`, without the machine. */
function serverOf(serverId: string): Attributes {
  const origin = serverId.replace(/@[^@/]*$/, "");
  if (!URL.canParse(origin)) return {};
  const { hostname, port, protocol } = new URL(origin);
  if (hostname === "") return {};
  return {
    "server.address": hostname,
    "server.port": Number(port) || (protocol === "https:" ? 443 : 80),
  };
}

function present(attributes: Readonly<Record<string, Attributes[string] | null>>): Attributes {
  const known = Object.entries(attributes).filter(([, value]) => value !== null && value !== undefined);
  return Object.fromEntries(known) as Attributes;
}

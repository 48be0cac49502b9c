/** Parts of Ollama's replies in OpenAI's forms. */
import type { WireChunk, WireLogprob, WireToolCall } from "../../backend/wire.js";
import { newId } from "./identity.js";

export interface ToolCall {
  readonly id: string;
  readonly name: string;
  /** JSON. */
  readonly arguments: string;
}

export function toolCallOf({ id, function: called }: WireToolCall): ToolCall {
  const { name, arguments: given } = called;
  // Text is what a limit left of a call.
  return {
    id: id || newId("call_"),
    name,
    arguments: typeof given === "string" ? given : JSON.stringify(given),
  };
}

/** Why it ended: `stop`, `length`, or `tool_calls`. */
export function finishReason(chunk: WireChunk, hasCalls: boolean): "stop" | "length" | "tool_calls" {
  if (chunk.done_reason === "length") return "length";
  return hasCalls ? "tool_calls" : "stop";
}

interface Logprob {
  readonly token: string;
  readonly logprob: number;
  readonly bytes: readonly number[];
}

export function logprobOf(entry: WireLogprob): Logprob & { readonly top_logprobs: readonly Logprob[] } {
  return { ...logprob(entry), top_logprobs: (entry.top_logprobs ?? []).map(logprob) };
}

function logprob({ token, logprob, bytes }: WireLogprob): Logprob {
  return { token, logprob, bytes: bytes ?? [...Buffer.from(token)] };
}

export interface Usage {
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly total_tokens: number;
  /** Of Ollama >= 0.33.3; older versions do not tell. */
  readonly prompt_tokens_details?: { readonly cached_tokens: number };
}

/** How many of the tokens were reasoning is not known: Ollama counts them together. */
export function usageOf(chunk: WireChunk): Usage {
  const { prompt_eval_count: prompt = 0, eval_count: output = 0, prompt_eval_cached_count: cached } = chunk;
  return {
    prompt_tokens: prompt,
    completion_tokens: output,
    total_tokens: prompt + output,
    ...(cached !== undefined && { prompt_tokens_details: { cached_tokens: cached } }),
  };
}

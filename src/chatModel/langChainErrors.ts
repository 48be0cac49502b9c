/** Errors of the engine as LangChain's programs expect them. */
import { ContextOverflowError, ModelAbortError, stampRetryable } from "@langchain/core/errors";
import type { AIMessageChunk } from "@langchain/core/messages";
import { isRecorded, markRecorded, OptimizerError, UpstreamError, WindowOverflow } from "../errors.js";

/** Sent again, these fail again. */
const FINAL = new Set([
  "MODEL_NOT_FOUND",
  "CAPABILITY_MISSING",
  "CONTEXT_EXCEEDED",
  "REQUEST_INVALID",
  "UNAUTHORIZED",
]);

const FAMILY = { isLangchainOllamaOptimizerError: true } as const;

/**
 * What a failed call rejects with.
 *
 * - A prompt that fits no window: core's `ContextOverflowError` with the fields of {@link WindowOverflow}, the original
 *   in its `cause`.
 * - A timeout: the signal's own `TimeoutError`. Any other abort: core's `ModelAbortError` with the output so far,
 *   under the name `AbortError`, by which LangChain's retries and people's handlers know an abort.
 * - A server's refusal: the {@link UpstreamError}, with the `status_code` of ollama-js's `ResponseError`, marked
 *   as not worth a retry where it is not.
 *
 * @param partial the output so far
 */
export function asLangChainError(
  error: unknown,
  signal: AbortSignal | undefined,
  partial: () => AIMessageChunk | undefined,
): unknown {
  if (signal?.aborted) return abortError(signal.reason, partial());
  if (error instanceof WindowOverflow) {
    const { code, remedy, promptTokens, needTokens, limitTokens, limit } = error;
    const facts = { code, remedy, promptTokens, needTokens, limitTokens, limit };
    // LangChain's class, and one of our family too: handlers of either know it.
    const overflow = Object.assign(ContextOverflowError.fromError(error), facts, FAMILY);
    if (isRecorded(error)) markRecorded(overflow);
    return overflow;
  }
  if (error instanceof UpstreamError) {
    Object.defineProperty(error, "status_code", { value: error.status, configurable: true });
    if (FINAL.has(error.code)) stampRetryable(error, false);
  } else if (OptimizerError.isInstance(error)) {
    stampRetryable(error, false);
  }
  return error;
}

function abortError(reason: unknown, partial: AIMessageChunk | undefined): unknown {
  if (reason instanceof Error && reason.name === "TimeoutError") return reason;
  const error = new ModelAbortError("The model call was aborted.", partial);
  Object.assign(error, { name: "AbortError", cause: reason });
  if (isRecorded(reason)) markRecorded(error);
  return error;
}

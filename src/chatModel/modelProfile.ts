/** A model's limits as LangChain's middleware reads them. */
import type { ModelProfile } from "@langchain/core/language_models/profile";
import type { ModelFacts } from "../engine/types.js";
import type { OptimizeMode } from "./options.js";

interface Limits {
  readonly numCtx: number | undefined;
  readonly numPredict: number | undefined;
  readonly optimize: OptimizeMode;
  /** Largest window that is loaded by choice, in tokens. */
  readonly maximumWindow: number | null;
}

/**
 * What is known; absent fields are unknown, and LangChain's summarization then assumes 4,097 tokens. No
 * `structuredOutput`: LangChain would send a `response_format`, which Ollama does not read.
 *
 * @example
 * modelProfile(
 *   { trainedNumCtx: 40960, loadedNumCtx: 4096, capabilities: ["completion", "tools"] },
 *   { numCtx: undefined, numPredict: 500, optimize: true, maximumWindow: 32768 },
 * ).maxInputTokens // 32768
 */
export function modelProfile(facts: ModelFacts | undefined, limits: Limits): ModelProfile {
  const maxInputTokens = limits.numCtx ?? (facts && reachableWindow(facts, limits));
  const maxOutputTokens =
    limits.numPredict !== undefined && limits.numPredict > 0 ? limits.numPredict : undefined;
  return {
    ...(maxInputTokens !== undefined && { maxInputTokens }),
    ...(maxOutputTokens !== undefined && { maxOutputTokens }),
    ...(facts && {
      imageInputs: facts.capabilities.includes("vision"),
      imageUrlInputs: false,
      toolCalling: facts.capabilities.includes("tools"),
      toolChoice: false,
      reasoningOutput: facts.capabilities.includes("thinking"),
    }),
  };
}

/** Windows grow up to the trained one while calls are optimized; else the loaded one is all there is. */
function reachableWindow(facts: ModelFacts, { optimize, maximumWindow }: Limits): number | undefined {
  if (optimize !== true) return facts.loadedNumCtx ?? undefined;
  if (facts.trainedNumCtx === null) return maximumWindow ?? undefined;
  return Math.min(facts.trainedNumCtx, maximumWindow ?? Number.POSITIVE_INFINITY);
}

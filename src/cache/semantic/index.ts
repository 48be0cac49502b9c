/** The semantic cache: `langchain-ollama-optimizer/cache/semantic`. */
export { type Difference, differenceBetween } from "./guards/index.js";
export {
  type Explanation,
  type JudgedPair,
  SemanticCache,
  type SemanticCacheOptions,
} from "./semanticCache.js";
export { type Comparison, compare } from "./similarity.js";
export { type FeedbackSample, type LearnedThreshold, learnThreshold } from "./threshold.js";

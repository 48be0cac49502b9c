export {
  type CallbackClock,
  OptimizerCallbackHandler,
  type OptimizerCallbackHandlerOptions,
} from "./callbacks/optimizerCallbackHandler.js";
export { type CountTokensFields, countTokens } from "./chatModel/countTokens.js";
export { decisionOf } from "./chatModel/decisionOf.js";
export { OptimizedChatOllama } from "./chatModel/optimizedChatOllama.js";
export { OptimizedOllama } from "./chatModel/optimizedOllama.js";
export type {
  OptimizedChatOllamaCallOptions,
  OptimizedChatOllamaInput,
  OptimizedOllamaCallOptions,
  OptimizedOllamaInput,
  OptimizeMode,
  OptimizerCallOptions,
  OptimizerFields,
  Think,
} from "./chatModel/options.js";
export type { OverflowPolicy } from "./engine/types.js";
export {
  type LimitKind,
  OptimizerError,
  type OptimizerErrorFields,
  UpstreamError,
  WindowOverflow,
} from "./errors.js";
export type { Logger } from "./logger.js";
export type { ExpectedLoad, TuningOptions } from "./optimizer/configuration.js";
export type {
  CountSource,
  DecisionAction,
  DecisionOutcome,
  DecisionRecord,
  RequestRecord,
  RequestSource,
} from "./records.js";
export { defaultStorePath } from "./storage/defaultStore.js";
export type { OptimizerStore } from "./storage/store.js";
export type { StoreOption } from "./storage/storeOf.js";

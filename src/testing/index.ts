/**
 * An Ollama-compatible server for tests: real behaviour (windows, silent cuts, reloads, prefix cache, memory,
 * errors) without a model, or with a tiny real one.
 */

export type { RunnerOptions } from "../records.js";
export type { ChatContents, ChatMessage, RenderChat } from "./chatTemplate.js";
export { type Clock, type ManualClock, manualClock, systemClock } from "./clock.js";
export type {
  Engine,
  GenerateEvent,
  GenerateRequest,
  LoadRequest,
  Runner,
  ScriptedCall,
  ScriptedToolCall,
} from "./engine.js";
export type { CallFacts, ReceivedRequest } from "./exchange.js";
export type { Failure, FailureKind } from "./failures.js";
export type { Generation } from "./generation.js";
export { type LlamaEngineOptions, llamaEngine } from "./llamaEngine.js";
export type { Capability, ServedModel, TestModel } from "./model.js";
export type { Load } from "./scheduler.js";
export { type Script, type ScriptedReply, scriptedEngine } from "./scriptedEngine.js";
export {
  type LoadedModel,
  type OllamaServer,
  type OllamaServerOptions,
  startOllamaServer,
} from "./server.js";
export { type TinyModelOptions, tinyModelFile } from "./tinyModel.js";
export { tinyTokenizer } from "./tinyTokenizer.js";
export { bytePairTokenizer, type Piece, type Tokenizer, type TokenizerFile } from "./tokenizer.js";

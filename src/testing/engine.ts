/** What the server asks of whatever produces tokens: scripted replies or real inference. */
import type { RunnerOptions } from "../records.js";
import type { ChatMessage } from "./chatTemplate.js";
import type { Clock } from "./clock.js";
import type { Generation } from "./generation.js";
import type { ServedModel } from "./model.js";
import type { Stopwatch } from "./stopwatch.js";

/** Loads models. */
export interface Engine {
  /** For people: "scripted", "llama". */
  readonly name: string;
  /** Its durations are measured, so the server adds none of its own. */
  readonly measures: boolean;
  /** An engine with its own weights says what they are, before the server answers anything. */
  describe?(): Promise<Partial<ServedModel>>;
  /** @throws OutOfMemory */
  load(request: LoadRequest): Promise<Runner>;
  /** Frees what the engine holds, when the server closes. */
  close?(): Promise<void>;
}

/** A load: every number is settled. */
export interface LoadRequest {
  readonly model: ServedModel;
  readonly numCtx: number;
  readonly numBatch: number;
  readonly options: RunnerOptions;
  readonly generation: Generation;
  readonly clock: Clock;
}

/** A loaded model with one slot: the server never lets two calls generate at the same time. */
export interface Runner {
  /** What the engine really took, where it knows better than the memory model. */
  readonly sizeBytes?: number;
  /** Ends early, without an `end`, when the signal aborts. */
  generate(request: GenerateRequest): AsyncGenerator<GenerateEvent, void>;
  /** One vector per text. */
  embed(texts: readonly (readonly number[])[]): Promise<number[][]>;
  /** Frees the model. */
  close(): Promise<void>;
}

/** One call for a reply. */
export interface GenerateRequest {
  /** The prompt after any cut, bos included. */
  readonly tokens: readonly number[];
  /** At most so many tokens of output. */
  readonly limit: number;
  /** At the end of the window: forget the middle and go on, or stop. */
  readonly shift: boolean;
  readonly stop: readonly string[];
  readonly temperature: number;
  readonly seed: number | undefined;
  /** JSON schema, `"json"`, or undefined. */
  readonly format: unknown;
  readonly call: ScriptedCall;
  /** Share of the model outside GPU memory, 0..1, which slows it down. */
  readonly spill: number;
  readonly stopwatch: Stopwatch;
  readonly signal: AbortSignal;
}

/** What the caller sent, for engines that answer by looking at it. */
export interface ScriptedCall {
  readonly endpoint: "chat" | "generate";
  /** As named by the client. */
  readonly model: string;
  readonly messages: readonly ChatMessage[];
  /** The rendered text, before any cut. */
  readonly prompt: string;
  readonly tools: readonly unknown[];
  readonly format: unknown;
  /** Whether the reply may think. */
  readonly think: boolean;
  readonly options: Readonly<Record<string, unknown>>;
  /** How many calls this server answered before this one. */
  readonly index: number;
}

/** A tool call of a reply. */
export interface ScriptedToolCall {
  readonly name: string;
  readonly arguments: Readonly<Record<string, unknown>>;
}

/** What happens while a reply is made. `tokens` are counted at the end as `eval_count`. */
export type GenerateEvent =
  | { readonly type: "prompt"; readonly cachedTokens: number; readonly durationMs: number }
  | {
      readonly type: "output";
      readonly tokens: number;
      readonly content?: string;
      readonly thinking?: string;
      readonly toolCall?: ScriptedToolCall;
    }
  | {
      readonly type: "end";
      readonly reason: "stop" | "length";
      readonly durationMs: number;
      readonly shifted: boolean;
    };

/** Thrown by an engine that fails: before the first token it becomes a status, later an error line. */
export class EngineFailure extends Error {
  override name = "EngineFailure";
  constructor(
    message: string,
    readonly status: number = 500,
  ) {
    super(message);
  }
}

/** Thrown by `load`. */
export class OutOfMemory extends EngineFailure {
  override name = "OutOfMemory";
}

/**
 * Carries decisions out: watch the server, count, decide, send, retry once, record. One engine per store; its
 * slots are shared by every model and server of the process that use that store.
 */
import type { WireRequest } from "../backend/wire.js";
import type { Logger } from "../logger.js";
import type { CountSource } from "../records.js";
import type { OptimizerStore } from "../storage/store.js";
import type { EngineCall, EngineReply } from "./types.js";

export interface EngineOptions {
  readonly store: OptimizerStore;
  readonly logger?: Logger;
}

/** What is known of a model on a server, without asking. */
export interface ModelFacts {
  readonly trainedNumCtx: number | null;
  readonly loadedNumCtx: number | null;
  readonly capabilities: readonly string[];
}

export class Engine {
  constructor(readonly options: EngineOptions) {}

  /**
   * Sends one call with the window decided.
   *
   * @throws {@link WindowOverflow} when the prompt fits no permitted window (`onOverflow` other than "cut")
   * @throws {@link UpstreamError} when the server refuses or cannot be reached
   */
  async send(_call: EngineCall): Promise<EngineReply> {
    throw new Error("not yet");
  }

  /** Tokens of a prompt as the model counts them, with where the number comes from. Loads no model. */
  async countTokens(
    _call: Pick<EngineCall, "origin" | "headers" | "transport"> & { readonly body: WireRequest },
  ): Promise<{ readonly tokens: number; readonly source: CountSource }> {
    throw new Error("not yet");
  }

  /** From memory; undefined before the first call of this model on this server. */
  modelFacts(_origin: string, _model: string): ModelFacts | undefined {
    return undefined;
  }
}

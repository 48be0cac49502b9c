/** What all handlers share. */
import type { Clock } from "./clock.js";
import type { Engine } from "./engine.js";
import type { Failures } from "./failures.js";
import type { Generation } from "./generation.js";
import { Refusal } from "./goJson.js";
import { type ServedModel, withTag } from "./model.js";
import type { Scheduler } from "./scheduler.js";

export interface ServerState {
  readonly models: readonly ServedModel[];
  readonly engine: Engine;
  readonly scheduler: Scheduler;
  readonly failures: Failures;
  readonly generation: Generation;
  /** What `/api/version` answers. */
  readonly version: string;
  readonly clock: Clock;
  readonly realTime: boolean;
  readonly defaultNumCtx: number;
  /** Somebody set the default (`OLLAMA_CONTEXT_LENGTH`): then it is no "auto" any more. */
  readonly defaultIsSet: boolean;
  /** Calls that were answered with a reply. */
  answered: number;
  /** Numbers tool calls. */
  toolCalls: number;
}

/** @throws Refusal 404 with the text of the endpoint that asks */
export function findModel(state: ServerState, name: string, text: string): ServedModel {
  const found = state.models.find((model) => model.name.toLowerCase() === withTag(name).toLowerCase());
  if (!found) throw new Refusal(404, text);
  return found;
}

/** @example fullName(model) // "registry.ollama.ai/library/tiny:latest" */
export function fullName(model: ServedModel): string {
  const path = model.name.includes("/") ? model.name : `library/${model.name}`;
  return `registry.ollama.ai/${path}`;
}

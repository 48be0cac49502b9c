/** Slots, calls and replies for the tests of the decision: everything ordinary, each test names what is not. */
import type { AfterReply, Reply } from "../../src/optimizer/afterReply.js";
import { afterReply } from "../../src/optimizer/afterReply.js";
import { DEFAULT_CONFIGURATION } from "../../src/optimizer/configuration.js";
import { type CallFacts, type Decided, decide } from "../../src/optimizer/decide.js";
import { slotFromProfile } from "../../src/optimizer/profile.js";
import type { LoadedState, SlotKnowledge, SlotState } from "../../src/optimizer/slotState.js";
import type { CountSource, RunnerOptions } from "../../src/records.js";

export const NOW = Date.UTC(2025, 5, 1, 12);
export const GIB = 2 ** 30;
export const config = DEFAULT_CONFIGURATION;

/** What `/api/ps` says of a model of which nothing but the window matters. */
export function loadedState(numCtx: number | null, more: Partial<LoadedState> = {}): LoadedState {
  return {
    numCtx,
    sizeBytes: 0,
    vramBytes: 0,
    expiresAt: null,
    otherModelsLoaded: 0,
    otherBytes: 0,
    observedAt: NOW,
    ...more,
  };
}

export interface SlotParts {
  readonly loaded?: LoadedState | null;
  readonly trained?: number | null;
  readonly options?: RunnerOptions;
  readonly known?: Partial<SlotKnowledge>;
}

/** A slot; `loaded` defaults to a server where the model is not loaded. */
export function slotWith({
  loaded = loadedState(null),
  trained = 131_072,
  options,
  known,
}: SlotParts): SlotState {
  const empty = slotFromProfile({ serverId: "server", blob: "blob", trainedNumCtx: trained });
  const sent = options ?? (loaded?.numCtx ? { num_ctx: loaded.numCtx } : {});
  return { ...empty, loaded, options: sent, known: { ...empty.known, ...known } };
}

/** A slot whose runner has this window. */
export function loadedWith(numCtx: number, parts: SlotParts = {}): SlotState {
  return slotWith({ loaded: loadedState(numCtx), ...parts });
}

export function facts(
  promptTokens: number,
  more: Partial<CallFacts> & { readonly source?: CountSource; readonly upperBound?: number } = {},
): CallFacts {
  const { source = "exact", upperBound = promptTokens, ...rest } = more;
  return {
    prompt: { tokens: promptTokens, source, upperBound },
    reserve: { tokens: 1000, source: "model" },
    explicit: {},
    extendsEarlierCall: false,
    optimize: true,
    ...rest,
  };
}

export function decided(slot: SlotState, call: CallFacts): Decided {
  return decide(slot, call, config, NOW);
}

/** A warm, whole reply. */
export function reply(promptTokens: number | null, more: Partial<Reply> = {}): Reply {
  return {
    promptTokens,
    outputTokens: 100,
    loadMs: 20,
    promptMs: 100,
    outputMs: 2000,
    doneReason: "stop",
    retries: 0,
    error: null,
    ...more,
  };
}

export function answered(slot: SlotState, call: CallFacts, decision: Decided, answer: Reply): AfterReply {
  return afterReply(slot, call, decision, answer, NOW);
}

/** The decision about one call. Pure, in microseconds; the clock is handed in. */
import type { DecisionAction, RunnerOptions } from "../records.js";
import { chooseBatch } from "./batch.js";
import type { CallFacts, Decided, PromptSize } from "./callFacts.js";
import type { Configuration } from "./configuration.js";
import { conflicts } from "./explicitOptions.js";
import { grownWindow } from "./growth.js";
import { type WindowLimit, windowLimit } from "./limits.js";
import { unspilledLimit } from "./memoryModel.js";
import { weightedP99 } from "./recency.js";
import { type ExpectedRunner, expectedRunner, type SlotState } from "./slotState.js";
import { shrunkWindow, spilledShare } from "./spill.js";

export type { CallFacts, Decided, Limit, PromptSize } from "./callFacts.js";

/** A prompt that leaves less room than this (or than its reserve, if that is smaller) does not fit. Tokens. */
const LEAST_OUTPUT = 128;

/** Everything the rules below look at. */
interface Situation {
  readonly slot: SlotState;
  readonly facts: CallFacts;
  readonly config: Configuration;
  readonly runner: ExpectedRunner;
  readonly limit: WindowLimit;
  readonly promptTokens: number;
  readonly needTokens: number;
  /** Memory was short a moment ago: take no margin. */
  readonly isRetry: boolean;
}

/**
 * Decides one call: keep what is loaded whenever it covers the need, else reload once and far enough.
 *
 * @param now ms since the epoch
 * @param isRetry after out of memory: the smallest window that covers the need
 * @example
 * const slot = { ...slotFromProfile({ serverId: "s", blob: "b", trainedNumCtx: 32768 }), options: { num_ctx: 8192 } };
 * const facts = {
 *   prompt: { tokens: 3000, source: "exact", upperBound: 3000 }, reserve: { tokens: 1024, source: "default" },
 *   explicit: {}, extendsEarlierCall: false, optimize: true,
 * };
 * decide(slot, facts, DEFAULT_CONFIGURATION, 0).action // "keep"
 */
export function decide(
  slot: SlotState,
  facts: CallFacts,
  config: Configuration,
  now: number,
  isRetry: boolean = false,
): Decided {
  if (!facts.optimize) return untouched(facts, "The optimizer is off for this call");
  if (facts.remote) return untouched(facts, "The model runs remotely, where its window is not ours to set");
  const runner = expectedRunner(slot);
  const limit = windowLimit(slot, facts, config, now);
  if (limit.fixed === null && !runner.isKnown)
    return unknown(facts, "Nothing is known of what the server has loaded");
  if (facts.prompt === null) {
    if (limit.fixed === null && runner.numCtx === null)
      return unknown(facts, "Nothing is known of the prompt's size");
    return repeat(facts, runner, limit);
  }
  const promptTokens = tokensToHold(slot, facts.prompt);
  const needTokens = promptTokens + facts.reserve.tokens;
  const situation = { slot, facts, config, runner, limit, promptTokens, needTokens, isRetry };
  const window = chooseWindow(situation);
  const keeps = window === runner.numCtx && !conflicts(facts.explicit, runner.options);
  const options = keeps ? { ...runner.options, num_ctx: window } : reloadOptions(situation, window);
  return finish(situation, keeps ? "keep" : reloadAction(situation, window), options, window);
}

/** Servers that ignore `truncate: false` cut without a word: there, only an upper bound is safe. */
function tokensToHold(slot: SlotState, prompt: PromptSize): number {
  return prompt.source !== "exact" && slot.known.refusesOverflow === false
    ? prompt.upperBound
    : prompt.tokens;
}

function chooseWindow(situation: Situation): number {
  const { slot, facts, runner, limit, needTokens } = situation;
  if (limit.fixed !== null) return limit.fixed;
  if (runner.numCtx === null || conflicts(facts.explicit, runner.options)) return freshWindow(situation);
  if (needTokens <= runner.numCtx) {
    const recent = Math.max(needTokens, weightedP99(slot.known.recentNeeds), situation.config.minimumWindow);
    const shrunk = slot.pending ? null : shrunkWindow(slot, recent, runner.options.num_batch ?? null);
    return shrunk ?? runner.numCtx;
  }
  if (runner.numCtx >= limit.window) return runner.numCtx;
  const window = grownWindow({
    needTokens,
    largestNeeds: slot.known.largestNeeds,
    extendsEarlierCall: facts.extendsEarlierCall,
    otherModelsLoaded: margins(situation),
    limit: limit.window,
    unspilledLimit: marginLimit(slot, runner.options.num_batch ?? null),
  });
  return atLeastMinimum(situation, window);
}

/** An unload is a free resize: what recent calls needed decides, a one-off of long ago does not. */
function freshWindow(situation: Situation): number {
  const { slot, facts, limit, needTokens } = situation;
  const { maximumNumCtx } = slot.known.steering;
  const recent = Math.min(weightedP99(slot.known.recentNeeds), maximumNumCtx ?? Number.POSITIVE_INFINITY);
  const base = situation.isRetry ? needTokens : Math.max(needTokens, recent);
  const window = grownWindow({
    needTokens: base,
    largestNeeds: slot.known.recentNeeds.filter((need) => need <= base),
    extendsEarlierCall: facts.extendsEarlierCall,
    otherModelsLoaded: margins(situation),
    limit: limit.window,
    unspilledLimit: marginLimit(slot, facts.explicit.num_batch ?? null),
  });
  return atLeastMinimum(situation, window);
}

/** Of a window that is loaded by choice; a retry takes what is left to it. */
function atLeastMinimum({ config, limit, isRetry }: Situation, window: number): number {
  return isRetry ? window : Math.max(window, Math.min(config.minimumWindow, limit.window));
}

/** No margin is taken beyond this window: what is known to stay in GPU memory, and what was asked for. */
function marginLimit({ known }: SlotState, numBatch: number | null): number {
  return Math.min(
    unspilledLimit(known.memory, numBatch),
    known.steering.maximumNumCtx ?? Number.POSITIVE_INFINITY,
  );
}

function margins({ slot, isRetry }: Situation): number {
  return isRetry ? 1 : (slot.loaded?.otherModelsLoaded ?? 0);
}

function reloadOptions({ slot, facts, runner, limit }: Situation, window: number): RunnerOptions {
  // Growing keeps what the runner was started with: two instances with different options would take turns else.
  const options = { ...runner.options, ...facts.explicit, num_ctx: window };
  if (facts.isEmbedding || facts.explicit.num_batch !== undefined) return options;
  const atCeiling = limit.kind === "ceiling" && slot.known.ceilings.length > 0 && window >= limit.window;
  const chosen = chooseBatch(slot.known.batches, atCeiling || spilledShare(slot) > 0);
  const { maximumNumBatch } = slot.known.steering;
  const batch = Math.min(chosen ?? Number.POSITIVE_INFINITY, maximumNumBatch ?? Number.POSITIVE_INFINITY);
  return Number.isFinite(batch) ? { ...options, num_batch: Math.min(batch, window) } : options;
}

function reloadAction({ slot, facts, runner, limit }: Situation, window: number): DecisionAction {
  const isEmpty = runner.numCtx === null || (slot.loaded !== null && slot.loaded.numCtx === null);
  // A reload for another option of the user's is a fresh choice, whatever its window.
  const isFresh = limit.fixed === null && conflicts(facts.explicit, runner.options);
  if (isEmpty || isFresh || window === runner.numCtx) return "load";
  return window > runner.numCtx! ? "grow" : "shrink";
}

function finish(
  situation: Situation,
  action: DecisionAction,
  options: RunnerOptions,
  window: number,
): Decided {
  const { facts, runner, limit, needTokens } = situation;
  const prompt = facts.prompt!;
  const leastNeed = prompt.tokens + Math.min(facts.reserve.tokens, LEAST_OUTPUT);
  // A count that is only a bound or an estimate refuses nothing: the server does, with the true number.
  const isCertain = prompt.source === "exact" || situation.slot.known.refusesOverflow === false;
  const passed = needTokens > window ? { limit: window, kind: limit.kind, needTokens } : undefined;
  const overflows = passed !== undefined && isCertain && leastNeed > window;
  return {
    action,
    options,
    numPredict: overflows ? undefined : predictable(facts, prompt, window),
    keepAliveSeconds: situation.slot.known.steering.keepAliveSeconds ?? undefined,
    truncate: false,
    promptTokens: prompt.tokens,
    countSource: prompt.source,
    needTokens,
    outputReserve: facts.reserve.tokens,
    loadedNumCtx: runner.numCtx,
    reason: explain(situation, action, window, passed !== undefined),
    confidence: confidence(facts),
    joinsReload: action === "keep" && situation.slot.pending !== null,
    ...(overflows ? { overflow: passed } : passed && { tight: passed }),
  };
}

/**
 * `num_predict`: the room behind the prompt, so that a reply which does not fit ends in an honest `length`
 * instead of pushing the middle of the prompt out. The user's own value stands unless it is certain not to fit.
 * Where the count is a bound or an estimate (both err to the high side), never less than the reserve or half the window: a reply
 * cut for nothing would be worse than the rare shift, which is recorded as such.
 */
function predictable(facts: CallFacts, prompt: PromptSize, window: number): number | undefined {
  if (facts.isEmbedding) return undefined;
  const room = Math.max(1, window - prompt.tokens);
  const isExact = prompt.source === "exact";
  if (facts.reserve.source === "numPredict")
    return isExact ? Math.min(facts.reserve.tokens, room) : facts.reserve.tokens;
  const most = isExact ? room : Math.max(room, Math.min(facts.reserve.tokens, window >> 1));
  return Math.min(most, facts.outputLimit ?? Number.POSITIVE_INFINITY);
}

const COUNT_CONFIDENCE = { exact: 1, bound: 0.9, estimate: 0.8 } as const;
const RESERVE_CONFIDENCE = {
  numPredict: 1,
  requested: 1,
  none: 1,
  template: 0.95,
  model: 0.8,
  default: 0.6,
} as const;

function confidence(facts: CallFacts): number {
  if (facts.prompt === null) return 0;
  const share = COUNT_CONFIDENCE[facts.prompt.source] * RESERVE_CONFIDENCE[facts.reserve.source];
  // The template matters where the reserve comes from it.
  const template = facts.reserve.source === "template" ? (facts.templateConfidence ?? 1) : 1;
  return Math.round(100 * share * template) / 100;
}

function explain(
  { facts, runner, limit, promptTokens, needTokens }: Situation,
  action: DecisionAction,
  window: number,
  passes: boolean,
): string {
  const need = `${promptTokens} prompt tokens (${facts.prompt!.source}) and ${facts.reserve.tokens} for the reply need ${needTokens}`;
  const loaded = runner.numCtx === null ? "nothing is loaded" : `${runner.numCtx} is loaded`;
  const end = {
    keep: `the loaded window of ${window} is kept`,
    grow: `${loaded}, so it grows to ${window}`,
    load: `${loaded}, so ${window} is loaded`,
    shrink: `${loaded}, so it shrinks to ${window}${limit.fixed === null ? ", since its spill has cost more than a reload" : ""}`,
    pass: "it goes out as written",
  }[action];
  const why = limit.fixed === null ? "" : " as set by the user";
  return `${need}; ${end}${why}${passes ? `, which is less than the need (limit: ${limit.kind})` : ""}.`;
}

/** The prompt's size is unknown, what is loaded is not: repeating it reloads nothing. */
function repeat(facts: CallFacts, runner: ExpectedRunner, limit: WindowLimit): Decided {
  const window = limit.fixed ?? runner.numCtx!;
  const keeps = window === runner.numCtx && !conflicts(facts.explicit, runner.options);
  return {
    ...unknown(
      facts,
      `Nothing is known of the prompt's size, so the window of ${window} is ${keeps ? "repeated" : "sent as the user set it"}`,
    ),
    action: keeps ? "keep" : "load",
    options: { ...runner.options, ...(keeps ? {} : facts.explicit), num_ctx: window },
    loadedNumCtx: runner.numCtx,
  };
}

/** Nothing added but `truncate: false`: if the prompt does not fit, the server says so. */
function unknown(facts: CallFacts, why: string): Decided {
  return { ...untouched(facts, why), truncate: false };
}

function untouched(facts: CallFacts, why: string): Decided {
  return {
    action: "pass",
    options: facts.explicit,
    numPredict: undefined,
    truncate: undefined,
    promptTokens: facts.prompt?.tokens ?? null,
    countSource: facts.prompt?.source ?? "estimate",
    needTokens: null,
    outputReserve: null,
    loadedNumCtx: null,
    reason: `${why}.`,
    confidence: 0,
  };
}

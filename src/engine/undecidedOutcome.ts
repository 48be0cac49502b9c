/**
 * What became of a call that went out as it was written: nobody counted its prompt, so it is judged by the window
 * that the server shows while it answers. Nothing is claimed that this does not tell.
 */
import type { WireChunk, WireRequest } from "../backend/wire.js";
import { isShifted, seemsCut } from "../optimizer/cut.js";
import type { DecisionOutcome } from "../records.js";
import type { PromptCounter } from "./promptCounter.js";
import type { ServerWatch } from "./serverWatch.js";

/** What is seen of an undecided call while it is answered. Tokens. */
export interface Glance {
  /** Roughly, without a tokenizer. */
  readonly estimate: number;
  /** What the prompt certainly does not exceed. */
  readonly upperBound: number;
  /** Window of the runner that answers; null where the server does not tell. */
  readonly window: number | null;
}

/** Looks at the server once, and at the prompt's size. Never rejects. */
export async function glance(
  watch: ServerWatch,
  counter: Pick<PromptCounter, "estimateOf" | "upperBound">,
  body: WireRequest,
): Promise<Glance> {
  const window = watch.windowNow(body.model);
  const upperBound = await counter.upperBound(watch.model(body.model) ?? null, body);
  return { estimate: counter.estimateOf(body), upperBound, window: await window };
}

/**
 * @param seen undefined where there was no time to look
 * @param isRefusing the server was asked to refuse what it would cut
 */
export function undecidedOutcome(
  seen: Glance | undefined,
  { options }: WireRequest,
  final: WireChunk,
  isRefusing: boolean,
): Pick<DecisionOutcome, "cut" | "shifted" | "reloaded"> {
  const { prompt_eval_count: promptTokens, eval_count: outputTokens, done_reason: doneReason } = final;
  const cut = isRefusing ? false : null;
  if (!seen || promptTokens === undefined) return { cut, shifted: null, reloaded: null };
  const { num_predict: limit } = options ?? {};
  const decided = { numPredict: typeof limit === "number" ? limit : undefined };
  const { window } = seen;
  return {
    cut: cut ?? seemsCut(seen, promptTokens, window),
    shifted:
      window === null
        ? null
        : isShifted(decided, promptTokens, outputTokens ?? 0, doneReason ?? null, window),
    reloaded: null,
  };
}

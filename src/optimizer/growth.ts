/** How far to grow, so that the next growth is rare. */
import { coveringRung } from "./ladder.js";

/** The five largest needs describe the upper end of what a program asks for. */
const LARGEST = 5;
/** Between these factors of the need, the spacing of the largest needs decides. */
const LEAST_GROWTH = 1.15;
const MOST_GROWTH = 1.6;
/** A conversation passes a budget that it has already filled to three quarters. */
const BUDGET_FILL = 4 / 3;
/** Beyond the budget: the question that passes it, and the reply. Lands on the rung above the power of two. */
const BUDGET_MARGIN = 1.1;

export interface GrowthInputs {
  /** Tokens. */
  readonly needTokens: number;
  /** Needs seen before, tokens, any order. */
  readonly largestNeeds: readonly number[];
  readonly extendsEarlierCall: boolean;
  readonly otherModelsLoaded: number;
  /** Largest window that may be loaded. */
  readonly limit: number;
  /** Largest window that is known to stay in GPU memory. */
  readonly unspilledLimit?: number;
}

/**
 * The window to load when the need passes what is loaded. Three cases:
 * - other models are loaded: the covering rung, since growing may evict them;
 * - a single prompt: `need + 2 x mean spacing of the five largest needs`, between 1.15 x and 1.6 x the need;
 * - a conversation that grows: the rung above the next power of two that is at least 4/3 of the need. Histories
 *   are trimmed at round budgets (8k, 16k, 32k), and the prompt that reaches one is a question and a reply longer
 *   than it. On conversations that grow to 32k this halves both the reloads after call 50 and the overshoot of
 *   doubling (0.7 against 1.6 per 1,000 calls, 1.1 against 1.9 times the largest need); 2 x the need gives
 *   1.0 and 1.6 (`bench/simulation.ts`).
 *
 * Memory that is known to end in a spill is not taken for the sake of a margin.
 *
 * @returns tokens, a rung or `limit`
 * @example grownWindow({ needTokens: 14000, largestNeeds: [], extendsEarlierCall: true, otherModelsLoaded: 0, limit: 131072 }) // 38912
 */
export function grownWindow(inputs: GrowthInputs): number {
  const { needTokens, limit, unspilledLimit = Number.POSITIVE_INFINITY } = inputs;
  const covering = coveringRung(needTokens, limit);
  if (inputs.otherModelsLoaded > 0) return covering;
  const wanted = coveringRung(Math.ceil(wantedTokens(inputs)), limit);
  return Math.max(covering, Math.min(wanted, unspilledLimit));
}

function wantedTokens({ needTokens, largestNeeds, extendsEarlierCall }: GrowthInputs): number {
  const spread = needTokens + 2 * meanSpacing([...largestNeeds, needTokens]);
  const single = Math.min(Math.max(spread, LEAST_GROWTH * needTokens), MOST_GROWTH * needTokens);
  if (!extendsEarlierCall) return single;
  return Math.max(single, BUDGET_MARGIN * 2 ** Math.ceil(Math.log2(BUDGET_FILL * needTokens)));
}

/**
 * Mean distance between neighbours among the five largest values; 0 for fewer than two.
 *
 * @example meanSpacing([100, 900, 500]) // 400
 */
export function meanSpacing(needs: readonly number[]): number {
  const largest = [...needs].sort((a, b) => b - a).slice(0, LARGEST);
  if (largest.length < 2) return 0;
  return (largest[0]! - largest[largest.length - 1]!) / (largest.length - 1);
}

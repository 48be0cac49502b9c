/**
 * What calls cost: tokens at a price list, the time of servers, electricity, and what the same tokens would have cost
 * elsewhere. Entry of `./costs`.
 */
import type { RequestRecord } from "../records.js";
import { Accountant } from "./accountant.js";
import { Door } from "./door.js";
import { atOnce } from "./pace.js";
import type { Costs, Prices } from "./types.js";

export type { CostLine, Costs, Prices, Refused, TokenPrice } from "./types.js";

/**
 * Costs of a request log by day, week, month, model, template, tag and owner. Nothing is guessed: calls without token
 * counts and models without a price are counted as such, and what has no price is null, not 0.
 *
 * @param now ms since the epoch; calls that began later are refused. Left out, none is late.
 * @throws OptimizerError `OPTION_INVALID` for a price that is negative or no number, or an unknown time zone
 * @example
 * const call = {
 *   at: "2026-11-21T23:30:00Z", serverId: "s", model: "llama3.2:3b", templateId: null, totalMs: 3600, error: null,
 *   promptTokens: 1000, cachedTokens: 400, outputTokens: 500,
 * };
 * const costs = costsOf([call], { models: { "*": { inputPer1k: 0.1, outputPer1k: 0.4 } }, timeZone: "Europe/Berlin" });
 * costs.byDay["2026-11-22"].tokenCost // 0.30
 */
export function costsOf(
  requests: Iterable<RequestRecord>,
  prices: Prices = {},
  now: number = Number.MAX_SAFE_INTEGER,
): Costs {
  const accountant = new Accountant(prices);
  const door = new Door();
  for (const call of door.admitted(requests, now)) accountant.takeCall(call);
  return atOnce(accountant.result(door.refused));
}

/** `GET /optimization/costs`: what the calls of the last days cost. */
import { Accountant } from "../../analysis/accountant.js";
import { Door } from "../../analysis/door.js";
import { paced, startPace } from "../../analysis/pace.js";
import type { Costs, Prices } from "../../analysis/types.js";
import type { RequestRecord } from "../../records.js";

/**
 * As `costsOf`, while the event loop runs in between and without holding the log.
 *
 * @param now milliseconds since 1970
 * @throws OptimizerError `OPTION_INVALID` for prices that are none
 */
export async function costs(
  requests: AsyncIterable<RequestRecord>,
  prices: Prices,
  now: number,
): Promise<Costs> {
  const accountant = new Accountant(prices);
  const door = new Door();
  const pace = startPace();
  for await (const request of requests) {
    const call = door.admit(request, now);
    if (call !== null) accountant.takeCall(call);
    if (pace.isDue()) await pace.pause();
  }
  return paced(accountant.result(door.refused), pace);
}

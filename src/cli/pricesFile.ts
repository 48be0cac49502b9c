/** The price list that costs are reckoned by, from a file. */
import { Accountant, priceFor, priceOf } from "../analysis/accountant.js";
import type { Prices } from "../analysis/types.js";
import type { ReplyCacheOptions } from "../cache/index.js";
import { OptimizerError } from "../errors.js";
import { withoutRemedy } from "./command.js";
import { readJsonFile } from "./jsonFile.js";
import { nearest } from "./nearest.js";

const KEYS = ["currency", "timeZone", "models", "computePerHour", "electricity", "hosted"] as const;

/**
 * JSON as `reporting.prices` of `createServerApp` has it. A misspelt key would be no price, and nobody would notice.
 *
 * @throws OptimizerError `OPTION_INVALID`
 */
export function readPrices(path: string): Prices {
  const prices = objectIn(path);
  for (const key of Object.keys(prices)) {
    if (KEYS.some((known) => known === key)) continue;
    const meant = nearest(key, KEYS);
    throw invalid(path, `has an unknown key "${key}"`, meant ? `Did you mean "${meant}"?` : REMEDY);
  }
  if (typeof (prices.currency ?? "") !== "string")
    throw invalid(path, "has a currency that is no text", REMEDY);
  try {
    new Accountant(prices);
  } catch (cause) {
    if (!OptimizerError.isInstance(cause)) throw cause;
    throw invalid(path, `cannot be meant: ${withoutRemedy(cause)}`, cause.remedy, cause);
  }
  return prices;
}

/** What a call that a cache answered would have cost; the cache tells it in US dollars. */
export function costOf({ models = {}, currency = "USD" }: Prices): ReplyCacheOptions["costOf"] {
  if (currency !== "USD") return undefined;
  return ({ model, inputTokens, outputTokens }) => {
    const price = priceOf(models, model ?? "");
    return price ? priceFor(price, { promptTokens: inputTokens, cachedTokens: 0, outputTokens }) : 0;
  };
}

const REMEDY = `Give a JSON object with some of ${KEYS.join(", ")}.`;

function objectIn(path: string): Prices {
  let read: unknown;
  try {
    read = readJsonFile(path);
  } catch (cause) {
    throw invalid(path, cause instanceof SyntaxError ? "is not JSON" : "cannot be read", REMEDY, cause);
  }
  if (typeof read === "object" && read !== null && !Array.isArray(read)) return read;
  throw invalid(path, "holds no JSON object", REMEDY);
}

function invalid(path: string, what: string, remedy: string, cause?: unknown): OptimizerError {
  return new OptimizerError({
    code: "OPTION_INVALID",
    message: `The prices file ${path} ${what}`,
    remedy,
    cause,
  });
}

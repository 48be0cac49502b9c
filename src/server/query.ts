/** Reads what a request asks for in its address: what cannot be meant is refused, never guessed. */
import { OptimizerError } from "../errors.js";

/**
 * A whole number of the query.
 *
 * @throws OptimizerError `OPTION_INVALID`
 * @example wholeNumberOf(new URLSearchParams("limit=5"), "limit", { least: 1, most: 200, otherwise: 50 }) // 5
 */
export function wholeNumberOf(
  query: URLSearchParams,
  name: string,
  range: { readonly least: number; readonly most: number; readonly otherwise: number },
): number {
  const text = query.get(name);
  if (text === null) return range.otherwise;
  const number = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (number >= range.least && number <= range.most) return number;
  throw refused(name, `a whole number from ${range.least} to ${range.most}`);
}

/**
 * One of the words that are permitted; the first stands where none is given.
 *
 * @throws OptimizerError `OPTION_INVALID`
 * @example wordOf(new URLSearchParams(""), "sort", ["observations", "errors"]) // "observations"
 */
export function wordOf<W extends string>(
  query: URLSearchParams,
  name: string,
  words: readonly [W, ...W[]],
): W {
  const text = query.get(name);
  if (text === null) return words[0];
  const word = words.find((known) => known === text);
  if (word !== undefined) return word;
  throw refused(name, `one of ${words.join(", ")}`);
}

/** Never with the value found: it is somebody's text. */
export function refused(name: string, wanted: string): OptimizerError {
  return new OptimizerError({
    code: "OPTION_INVALID",
    message: `"${name}" is not what it can be`,
    remedy: `Give ${wanted}.`,
  });
}

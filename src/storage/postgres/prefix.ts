/** What the names of tables begin with. */
import { OptimizerError } from "../../errors.js";

/**
 * The prefix as it may stand in SQL: it is not quoted there.
 *
 * @throws OptimizerError `OPTION_INVALID`
 * @example postgresPrefix("team_") // "team_"
 */
export function postgresPrefix(prefix = "optimizer_"): string {
  if (/^[a-z_][a-z0-9_]{0,30}$/.test(prefix)) return prefix;
  throw new OptimizerError({
    code: "OPTION_INVALID",
    message: `prefix is ${JSON.stringify(prefix)}`,
    remedy: "Give 1 to 31 lower case letters, digits and underscores that do not begin with a digit.",
  });
}

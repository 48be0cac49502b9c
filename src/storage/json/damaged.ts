/** A damaged file is kept, under another name, and never overwritten. */
import { rename } from "node:fs/promises";
import { basename } from "node:path";
import type { Logger } from "../../logger.js";

/** Who is told, and what time it is. */
export interface DamageContext {
  readonly logger: Logger;
  readonly now: () => number;
}

/** What to do about documents whose file is damaged. */
export interface RecoveryContext extends DamageContext {
  /** Whether the change log alone makes every document again. */
  readonly isLogWhole: () => Promise<boolean>;
}

/**
 * Renames a damaged file to `name.damaged-<time>` and says so.
 *
 * @param reason what is wrong with it, e.g. "is not JSON"
 * @param consequence what the store does now, e.g. "its rules start empty"
 */
export async function setAside(
  path: string,
  reason: string,
  consequence: string,
  context: DamageContext,
): Promise<void> {
  const time = new Date(context.now()).toISOString().replaceAll(":", "-");
  const aside = `${path}.damaged-${time}`;
  await rename(path, aside).then(
    () => context.logger.warn(`${path} ${reason}. It is kept as ${basename(aside)}; ${consequence}.`),
    (error: unknown) =>
      context.logger.warn(`${path} ${reason} and could not be renamed (${String(error)}); ${consequence}.`),
  );
}

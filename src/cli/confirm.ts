/** Asks before something is changed. */
import { createInterface } from "node:readline";
import { type Surroundings, usageError } from "./command.js";

/**
 * Whether the user says yes, on a terminal.
 *
 * @throws OptimizerError `ARGUMENT_INVALID` where there is no terminal to ask at
 */
export async function confirmed(question: string, { input, err, signal }: Surroundings): Promise<boolean> {
  if (!input?.isTTY) throw usageError(`Nobody can be asked whether to ${question}`, "Add --yes.");
  err.write(`${question.charAt(0).toUpperCase()}${question.slice(1)}? [y/N] `);
  // Not as a terminal: there, Ctrl-C would be readline's.
  const lines = createInterface({ input, terminal: false, signal });
  try {
    const answer = await new Promise<string>((resolve) => {
      lines.once("line", resolve);
      lines.once("close", () => resolve(""));
    });
    signal.throwIfAborted();
    return /^y(es)?$/i.test(answer.trim());
  } finally {
    lines.close();
    input.pause();
  }
}

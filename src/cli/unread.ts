/** What is printed has no reader any more: `... | head` has read enough, the terminal has gone, the disk is full. */
import { EXIT } from "./command.js";
import { notWritten } from "./outputFile.js";

/** The slice of a process's outputs that is needed. */
export interface Printed {
  on(event: "error", listener: (error: NodeJS.ErrnoException) => void): unknown;
  write(text: string): unknown;
}

/**
 * Ends a command whose output nobody reads, and one whose output gets nowhere. One that serves others goes on for
 * them, and still stores what it learned when it is stopped.
 *
 * @param exit called with the exit code
 */
export function whenUnread(
  { out, err }: { readonly out: Printed; readonly err: Printed },
  serves: boolean,
  exit: (code: number) => void,
): void {
  for (const output of [out, err]) {
    output.on("error", (error) => {
      if (serves) return;
      if (error.code === "EPIPE") return exit(EXIT.ok);
      if (output === out) {
        const { code, message } = notWritten("The standard output", error);
        err.write(`${code}: ${message}\n`);
      }
      exit(EXIT.failed);
    });
  }
}

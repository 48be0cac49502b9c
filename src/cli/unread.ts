/** What is printed has no reader any more: `... | head` has read enough, or the terminal has gone. */

/** The slice of a process's outputs that is needed. */
export interface ErrorSource {
  on(event: "error", listener: (error: NodeJS.ErrnoException) => void): unknown;
}

/**
 * Ends a command that nobody reads. One that serves others goes on for them, and still stores what it learned when it
 * is stopped.
 *
 * @throws by the stream's own event, whatever else went wrong
 */
export function whenUnread(outputs: readonly ErrorSource[], serves: boolean, exit: () => void): void {
  for (const output of outputs) {
    output.on("error", (error) => {
      if (error.code !== "EPIPE") throw error;
      if (!serves) exit();
    });
  }
}

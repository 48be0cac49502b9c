/** What a command is, what it may use, and how it ends. */
import { OptimizerError } from "../errors.js";
import type { Output } from "./terminal.js";

/** What comes in: of a terminal, or of a pipe. */
export type Input = NodeJS.ReadableStream & { readonly isTTY?: boolean };

/** What a command may use of its process. */
export interface Surroundings {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly out: Output;
  /** For errors and progress: what is printed to `out` stays whole in a pipe. */
  readonly err: Output;
  /** Aborted when the user wants to stop. */
  readonly signal: AbortSignal;
  /** What is typed or piped in; absent: nothing is. On a terminal, questions may be asked. */
  readonly input?: Input;
}

/** A command as its file exports it. */
export interface Command {
  /**
   * Its help: how it is called, what it does, a line for each flag (two spaces, `--name`, VALUE in capitals when it
   * takes one), examples. Flags that are not in it are refused, and shell completion reads them from it.
   */
  readonly usage: string;
  /**
   * @returns the exit code, see {@link EXIT}
   * @throws OptimizerError and what else goes wrong: whoever runs the command tells the user
   */
  run(args: readonly string[], surroundings: Surroundings): Promise<number>;
}

/** Exit codes of every command; 130 is what a shell gives a program that SIGINT ended. */
export const EXIT = { ok: 0, failed: 1, usage: 2, interrupted: 130 } as const;

/** Something was called in a way it cannot be: exit code 2. */
export function usageError(message: string, remedy: string, cause?: unknown): OptimizerError {
  return new OptimizerError({ code: "ARGUMENT_INVALID", message, remedy, cause });
}

/** What an error says, where its remedy stands apart. */
export function withoutRemedy({ message, remedy }: OptimizerError): string {
  return message.endsWith(remedy) ? message.slice(0, -remedy.length).trim() : message;
}

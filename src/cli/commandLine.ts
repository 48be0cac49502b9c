/** Finds the command that was asked for, runs it, and turns whatever happens into words and an exit code. */
import { OptimizerError } from "../errors.js";
import { type Command, EXIT, type Surroundings, usageError } from "./command.js";
import { assertKnownFlags } from "./flags.js";
import { nearest } from "./nearest.js";

/** The commands by name. A command's file is loaded when it is run: some load LangChain, most do without. */
export type CommandTable = Readonly<Record<string, CommandEntry>>;
export interface CommandEntry {
  /** One line. */
  readonly summary: string;
  load(): Promise<Command>;
}

export const PROGRAM = "langchain-ollama-optimizer";

/**
 * Runs one command line. Never rejects, never prints a stack trace.
 *
 * @param argv without the program
 * @returns the exit code, see {@link EXIT}
 * @example process.exitCode = await runCommandLine(process.argv.slice(2), COMMANDS, version, surroundings);
 */
export async function runCommandLine(
  argv: readonly string[],
  commands: CommandTable,
  version: string,
  surroundings: Surroundings,
): Promise<number> {
  try {
    const [name = "help", ...args] = argv;
    if (name === "--version" || name === "version") {
      surroundings.out.write(`${version}\n`);
      return EXIT.ok;
    }
    if (name === "help" || name === "--help" || name === "-h") {
      const [about] = args;
      const isAboutAll = about === undefined || about === "help" || about === "version";
      surroundings.out.write(isAboutAll ? overview(commands) : (await find(about, commands)).usage);
      return EXIT.ok;
    }
    const command = await find(name, commands);
    if (args.includes("--help") || args.includes("-h")) {
      surroundings.out.write(command.usage);
      return EXIT.ok;
    }
    assertKnownFlags(name, command.usage, args);
    return await command.run(args, surroundings);
  } catch (error) {
    return told(error, surroundings, argv.includes("--json"));
  }
}

async function find(name: string, commands: CommandTable): Promise<Command> {
  const entry = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (entry) return entry.load();
  const suggested = nearest(name, Object.keys(commands));
  throw usageError(
    `There is no command "${name}"`,
    `${suggested ? `Did you mean ${suggested}? ` : ""}\`${PROGRAM} help\` lists them.`,
  );
}

function overview(commands: CommandTable): string {
  const rows = Object.entries({
    ...Object.fromEntries(Object.entries(commands).map(([name, { summary }]) => [name, summary])),
    help: "this text; `help COMMAND` and `COMMAND --help` tell more, with examples",
    version: "the version",
  });
  const width = Math.max(...rows.map(([name]) => name.length));
  return `${PROGRAM} COMMAND [options]

${rows.map(([name, summary]) => `  ${name.padEnd(width)}  ${summary}`).join("\n")}

Exit codes: ${EXIT.ok} done, ${EXIT.failed} failed, ${EXIT.usage} called in a way it cannot be, ${EXIT.interrupted} interrupted.
`;
}

/** Codes of errors in how a command was called. */
const USAGE_CODES = new Set(["ARGUMENT_INVALID", "OPTION_INVALID"]);

/** With `--json` an error is JSON too, on `err` as always. */
function told(error: unknown, { err, signal }: Surroundings, asJson: boolean): number {
  if (signal.aborted) {
    err.write("\nStopped.\n");
    return EXIT.interrupted;
  }
  const { code, message, remedy } = OptimizerError.isInstance(error) ? error : unexpected(error);
  err.write(asJson ? `${JSON.stringify({ error: { code, message, remedy } })}\n` : `${code}: ${message}\n`);
  return USAGE_CODES.has(code) ? EXIT.usage : EXIT.failed;
}

function unexpected(error: unknown): OptimizerError {
  return new OptimizerError({
    code: "UNEXPECTED",
    message: error instanceof Error ? error.message : String(error),
    remedy: "That is a fault of this program: please report it with the command line that led to it.",
    cause: error,
  });
}

import type { Surroundings } from "../../src/cli/command.js";
import { runCommandLine } from "../../src/cli/commandLine.js";
import { COMMANDS } from "../../src/cli/commands.js";

/** Runs a command line as a program without a terminal does. */
export async function commandLine(
  argv: readonly string[],
  more: Partial<Surroundings> = {},
): Promise<{ code: number; out: string; err: string }> {
  let out = "";
  let err = "";
  const code = await runCommandLine(argv, COMMANDS, "1.0.0", {
    environment: {},
    out: { write: (text) => (out += text) },
    err: { write: (text) => (err += text) },
    signal: new AbortController().signal,
    ...more,
  });
  return { code, out, err };
}

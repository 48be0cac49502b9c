#!/usr/bin/env node
/** The command line: `npx langchain-ollama-optimizer <command>`. */
import { readFileSync } from "node:fs";
import { runCommandLine } from "./commandLine.js";
import { COMMANDS } from "./commands.js";
import { interruption } from "./interruption.js";
import { whenUnread } from "./unread.js";

const { env: environment, stdout: out, stderr: err, stdin: input } = process;
const signal = interruption(process, (code) => process.exit(code));
whenUnread({ out, err }, process.argv[2] === "serve", (code) => process.exit(code || undefined));

const surroundings = { environment, out, err, signal, input };
process.exitCode = await runCommandLine(process.argv.slice(2), COMMANDS, version(), surroundings);
// A call that was left behind would keep the process; output that is still being written shall get out.
if (signal.aborted) setTimeout(() => process.exit(), 500).unref();

function version(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
  return (manifest as { version: string }).version;
}

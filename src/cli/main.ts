#!/usr/bin/env node
/** The command line: `npx langchain-ollama-optimizer <command>`. */
import { readFileSync } from "node:fs";
import { serve } from "./serve.js";

const USAGE = `langchain-ollama-optimizer <command> [options]

  serve      Ollama's API on another port, with the window of each call decided
  demo       the same calls with and without the optimizer, and what they cost
  help       this text; <command> --help tells more
  --version  the version
`;

const [command = "help", ...args] = process.argv.slice(2);
const { env: environment, stdout: out, stderr: err } = process;
const stop = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stop.abort());
const surroundings = { environment, out, err, signal: stop.signal };

if (command === "serve") process.exitCode = await serve(args, surroundings);
else if (command === "demo") {
  // Only here: the demo loads LangChain, which serving does without.
  const { demo } = await import("./demo.js");
  process.exitCode = await demo(args, surroundings);
  // A call that was left behind would keep the process.
  if (stop.signal.aborted) process.exit();
} else if (command === "--version") out.write(`${version()}\n`);
else if (command === "help" || command === "--help") out.write(USAGE);
else {
  err.write(`There is no command "${command}".\n\n${USAGE}`);
  process.exitCode = 2;
}

function version(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
  return (manifest as { version: string }).version;
}

/** `doctor`: what a helpful expert would look at on this machine, and what to do about it. */
import { nodeTransport } from "../backend/transport.js";
import { OptimizerError } from "../errors.js";
import { EXIT, type Surroundings } from "./command.js";
import { examine } from "./doctor/examine.js";
import type { Finding, Severity } from "./doctor/finding.js";
import { findLog } from "./doctor/serverLog.js";
import { storeHealth } from "./doctor/store.js";
import { readFlags, readNumber, refuseMore } from "./flags.js";
import { machineMemory } from "./machineMemory.js";
import { DEFAULT_ORIGIN, isLocal, ollamaOrigin } from "./ollamaOrigin.js";
import { status } from "./status.js";
import { STORE_FLAGS, STORE_HELP } from "./storeAt.js";
import { type Style, styleFor } from "./style.js";
import { counted } from "./terminal.js";

export const usage: string = `doctor [options]

Looks at the Ollama server, its models, this machine's memory, programs that fight over a window, and the store; says
what it found and what to do about it. Loads nothing and changes nothing, but that a store with a damaged file is
opened as any program opens it: the file is set aside. Ends with 1 when something does not work.

  --host URL       the server; default http://127.0.0.1:11434                          (OLLAMA_HOST)
  --log FILE       what ollama serve has logged; found by itself where Ollama was installed as usual
  --watch SECONDS  how long to watch for programs that change windows, default 2
  --json           the findings as JSON
${STORE_HELP}

Examples:
  langchain-ollama-optimizer doctor
  langchain-ollama-optimizer doctor --watch 60
  langchain-ollama-optimizer doctor --host gpu-box:11434 --json
`;

/** @throws OptimizerError `ARGUMENT_INVALID`, `OPTION_INVALID`, `LOG_UNREADABLE` */
export async function run(args: readonly string[], surroundings: Surroundings): Promise<number> {
  const { environment, out, err, signal } = surroundings;
  const { values, positionals } = readFlags(args, {
    ...STORE_FLAGS,
    host: { type: "string" },
    log: { type: "string" },
    watch: { type: "string", default: "2" },
    json: { type: "boolean" },
  });
  refuseMore(positionals, "`doctor --help` shows how it is called.");
  const origin = ollamaOrigin(values.host ?? (environment.OLLAMA_HOST || DEFAULT_ORIGIN));
  const isHere = isLocal(origin);
  const shown = status(err);
  const findings = await examine({
    server: { origin, transport: nodeTransport },
    store: () => storeHealth(values, surroundings),
    log: isHere || values.log ? await logOf(values.log, environment) : null,
    memory: isHere ? machineMemory() : null,
    watchMs: 1000 * readNumber("--watch", values.watch, { least: 0, most: 86_400 }),
    signal,
    onStep: (text, share) => shown.show(text, share),
  });
  shown.end();
  out.write(
    values.json
      ? `${JSON.stringify({ server: origin, findings }, null, 2)}\n`
      : report(findings, styleFor(out, environment)),
  );
  return findings.some(({ severity }) => severity === "error") ? EXIT.failed : EXIT.ok;
}

async function logOf(
  file: string | undefined,
  environment: Surroundings["environment"],
): Promise<string | null> {
  try {
    return await findLog({ file, platform: process.platform, environment });
  } catch (cause) {
    throw new OptimizerError({
      code: "LOG_UNREADABLE",
      message: `The log ${file} cannot be read (${(cause as NodeJS.ErrnoException).code})`,
      remedy: "Name the file that `ollama serve` writes to.",
      cause,
    });
  }
}

const MARKS: Readonly<Record<Severity, { mark: string; style: Parameters<Style>[0] }>> = {
  ok: { mark: "ok  ", style: "green" },
  note: { mark: "note", style: "dim" },
  warning: { mark: "WARN", style: "yellow" },
  error: { mark: "FAIL", style: "red" },
};

function report(findings: readonly Finding[], style: Style): string {
  const lines = findings.flatMap(({ topic, severity, text, remedy }, index) => [
    ...(findings[index - 1]?.topic === topic ? [] : ["", style("bold", topic)]),
    `  ${style(MARKS[severity].style, MARKS[severity].mark)}  ${text}`,
    ...(remedy === null ? [] : [`        -> ${remedy}`]),
  ]);
  const number = (severity: Severity): number =>
    findings.filter((found) => found.severity === severity).length;
  return `${lines.join("\n").trimStart()}\n\n${counted(number("error"), "error")}, ${counted(number("warning"), "warning")}, ${counted(number("note"), "note")}.\n`;
}

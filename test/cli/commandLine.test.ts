import { expect, test } from "vitest";
import { type Command, EXIT, usageError } from "../../src/cli/command.js";
import { type CommandTable, runCommandLine } from "../../src/cli/commandLine.js";
import { COMMANDS } from "../../src/cli/commands.js";
import { flagsIn } from "../../src/cli/flags.js";
import { OptimizerError } from "../../src/errors.js";

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function run(
  argv: readonly string[],
  commands: CommandTable,
  signal = new AbortController().signal,
): Promise<Ran> {
  let out = "";
  let err = "";
  const code = await runCommandLine(argv, commands, "1.2.3", {
    environment: {},
    out: { write: (text) => (out += text) },
    err: { write: (text) => (err += text) },
    signal,
  });
  return { code, out, err };
}

const tableOf = (command: Partial<Command>): CommandTable => ({
  greet: {
    summary: "says hello",
    load: async () => ({
      usage: "greet [options]\n\n  --name NAME  whom\n",
      run: async () => EXIT.ok,
      ...command,
    }),
  },
});

test("a command gets its arguments, and its exit code is the program's", async () => {
  const seen: (readonly string[])[] = [];
  const commands = tableOf({
    run: async (args) => {
      seen.push(args);
      return 7;
    },
  });
  expect((await run(["greet", "--name", "Ada"], commands)).code).toBe(7);
  expect(seen).toEqual([["--name", "Ada"]]);
});

test.each([[["help"]], [["--help"]], [["-h"]], [[]], [["help", "help"]], [["help", "version"]]])(
  "%j lists the commands and the exit codes",
  async (argv) => {
    const { code, out } = await run(argv, tableOf({}));
    expect(code).toBe(0);
    expect(out).toMatch(/greet +says hello/);
    expect(out).toMatch(/Exit codes: 0 done, 1 failed, 2 .*130/);
  },
);

test.each([[["help", "greet"]], [["greet", "--help"]], [["greet", "-h", "--name", "x"]]])(
  "%j tells about one command without running it",
  async (argv) => {
    const { code, out } = await run(argv, tableOf({ run: async () => 9 }));
    expect([code, out]).toEqual([0, "greet [options]\n\n  --name NAME  whom\n"]);
  },
);

test("the version is one line", async () => {
  expect(await run(["--version"], {})).toEqual({ code: 0, out: "1.2.3\n", err: "" });
});

test("an unknown command suggests the nearest one", async () => {
  const { code, err, out } = await run(["grete"], tableOf({}));
  expect([code, out]).toEqual([2, ""]);
  expect(err).toMatch(/no command "grete".*Did you mean greet\?/);
});

test("an unknown command that resembles none suggests none, nor does one that objects have", async () => {
  for (const name of ["xylophone", "constructor", "__proto__"]) {
    const { code, err } = await run([name], tableOf({}));
    expect([name, code]).toEqual([name, 2]);
    expect(err).not.toContain("Did you mean");
  }
});

test("an unknown flag suggests the nearest one, and the command does not run", async () => {
  const { code, err } = await run(["greet", "--nmae=Ada"], tableOf({ run: async () => 0 }));
  expect(code).toBe(2);
  expect(err).toMatch(/greet has no flag --nmae\. Did you mean --name\? `help greet`/);
});

test("what follows -- is no flag", async () => {
  expect((await run(["greet", "--", "--other"], tableOf({}))).code).toBe(0);
});

const failing = (error: unknown): CommandTable =>
  tableOf({
    run: async () => {
      throw error;
    },
  });
const full = new OptimizerError({
  code: "STORE_FULL",
  message: "The disk is full",
  remedy: "Free some space.",
});

test("an error of the family is its code, its message and its remedy, in one line", async () => {
  expect(await run(["greet"], failing(full))).toEqual({
    code: 1,
    out: "",
    err: "STORE_FULL: The disk is full. Free some space.\n",
  });
});

test("with --json an error is JSON", async () => {
  const commands = tableOf({
    usage: "greet\n\n  --json  as JSON\n",
    run: async () => {
      throw full;
    },
  });
  const { err } = await run(["greet", "--json"], commands);
  expect(JSON.parse(err).error).toEqual({
    code: "STORE_FULL",
    message: "The disk is full. Free some space.",
    remedy: "Free some space.",
  });
});

test("a fault of the program itself is told without a stack trace", async () => {
  const { code, err } = await run(["greet"], failing(new TypeError("x is not a function")));
  expect(code).toBe(1);
  expect(err).toMatch(/^UNEXPECTED: x is not a function\. .*report it/);
  expect(err).not.toMatch(/\n {4}at /);
});

test("a usage error ends with 2, an interrupted command with 130", async () => {
  expect((await run(["greet"], failing(usageError("No name", "Give one.")))).code).toBe(2);
  const stop = new AbortController();
  const interrupted = tableOf({
    run: async () => {
      stop.abort();
      throw stop.signal.reason;
    },
  });
  expect(await run(["greet"], interrupted, stop.signal)).toEqual({ code: 130, out: "", err: "\nStopped.\n" });
});

test.each(Object.keys(COMMANDS))("%s tells how it is called and gives examples", async (name) => {
  const { usage } = await COMMANDS[name]!.load();
  expect(usage.startsWith(name)).toBe(true);
  expect(usage).toMatch(/\nExamples:\n.*langchain-ollama-optimizer /s);
  expect(usage.endsWith("\n")).toBe(true);
  for (const line of usage.split("\n")) expect(line.length, line).toBeLessThanOrEqual(120);
});

test("flags are read from a help text with their values and summaries", () => {
  expect(flagsIn("x\n\n  --port N       the port  (PORT)\n  --json\n --no: flag\n")).toEqual([
    { name: "--port", takesValue: true, summary: "the port  (PORT)" },
    { name: "--json", takesValue: false, summary: "" },
  ]);
});

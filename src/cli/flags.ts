/** Reads a command's arguments; its help is what says which flags there are. */
import { type ParseArgsConfig, parseArgs } from "node:util";
import { usageError } from "./command.js";
import { nearest } from "./nearest.js";

type Options = NonNullable<ParseArgsConfig["options"]>;
type Parsed<T extends Options> = ReturnType<
  typeof parseArgs<{ args: string[]; options: T; allowPositionals: true; strict: true }>
>;

/** A flag as the help shows it. */
export interface Flag {
  /** With its dashes. */
  readonly name: string;
  readonly takesValue: boolean;
  readonly summary: string;
}

/**
 * The flags that a help text lists.
 *
 * @example flagsIn("serve\n\n  --port N   default 11435") // [{ name: "--port", takesValue: true, summary: "default 11435" }]
 */
export function flagsIn(usage: string): readonly Flag[] {
  return [...usage.matchAll(/^ {2}(--[a-z-]+)( [A-Z]+)?(?: +(.*))?$/gm)].map(([, name, value, summary]) => ({
    name: name!,
    takesValue: value !== undefined,
    summary: summary ?? "",
  }));
}

/**
 * Refuses flags that a help text does not list, and names the nearest one.
 *
 * @throws OptimizerError `ARGUMENT_INVALID`
 */
export function assertKnownFlags(command: string, usage: string, args: readonly string[]): void {
  const flags = flagsIn(usage).map(({ name }) => name);
  for (const arg of args) {
    if (arg === "--") return;
    const name = arg.split("=", 1)[0]!;
    if (!name.startsWith("--") || flags.includes(name)) continue;
    const suggested = nearest(name, flags);
    throw usageError(
      `${command} has no flag ${name}`,
      `${suggested ? `Did you mean ${suggested}? ` : ""}\`help ${command}\` lists them.`,
    );
  }
}

/**
 * Flags and positional arguments of a command.
 *
 * @throws OptimizerError `ARGUMENT_INVALID`
 * @example readFlags(["tiny", "--json"], { json: { type: "boolean" } }).positionals // ["tiny"]
 */
export function readFlags<T extends Options>(args: readonly string[], options: T): Parsed<T> {
  try {
    return parseArgs({
      args: joined(args, options),
      options,
      allowPositionals: true,
      strict: true,
    }) as Parsed<T>;
  } catch (cause) {
    throw usageError((cause as Error).message, "`--help` shows how it is called.", cause);
  }
}

/** `--sort -total` as `--sort=-total`: `parseArgs` takes what begins with a dash for a flag. */
function joined(args: readonly string[], options: Options): string[] {
  const written: string[] = [];
  for (const arg of args) {
    const before = written.at(-1) ?? "";
    const isValue =
      /^-[^-]/.test(arg) && before.startsWith("--") && options[before.slice(2)]?.type === "string";
    if (isValue) written[written.length - 1] = `${before}=${arg}`;
    else written.push(arg);
  }
  return written;
}

/**
 * Refuses words that a command has no use for.
 *
 * @throws OptimizerError `ARGUMENT_INVALID`
 * @example refuseMore([], "Name one file.") // undefined
 */
export function refuseMore(words: readonly string[], remedy: string): void {
  if (words.length > 0) throw usageError(`"${words.join(" ")}" is too much`, remedy);
}

/** What a number may be. */
export interface Range {
  readonly least: number;
  readonly most: number;
  readonly isWhole?: boolean;
}

/**
 * The number a flag was given.
 *
 * @throws OptimizerError `ARGUMENT_INVALID`
 * @example readNumber("--seconds", "2.5", { least: 1, most: 60 }) // 2.5
 */
export function readNumber(flag: string, text: string, { least, most, isWhole = false }: Range): number {
  const value = text.trim() === "" ? Number.NaN : Number(text);
  if (value >= least && value <= most && (!isWhole || Number.isInteger(value))) return value;
  throw usageError(
    `${flag} is "${text}"`,
    `Give a ${isWhole ? "whole " : ""}number from ${least} to ${most}.`,
  );
}

/** `completion`: what a shell needs to complete commands and flags. */
import { type Surroundings, usageError } from "./command.js";
import { PROGRAM } from "./commandLine.js";
import { COMMANDS } from "./commands.js";
import { type Flag, flagsIn, readFlags } from "./flags.js";

export const usage: string = `completion SHELL

Prints a script that completes commands and flags; SHELL is bash, zsh or fish. It works for the program's own name,
so install it (npm install --global ${PROGRAM}) rather than to run it by npx.

Examples:
  echo 'eval "$(${PROGRAM} completion bash)"' >> ~/.bashrc
  echo 'eval "$(${PROGRAM} completion zsh)"' >> ~/.zshrc
  ${PROGRAM} completion fish > ~/.config/fish/completions/${PROGRAM}.fish
`;

/** A command as shells complete it. */
interface Completed {
  readonly name: string;
  readonly summary: string;
  readonly flags: readonly Flag[];
  /** What may stand behind it, at each place: for `inspect`, "forget" and then "window". */
  readonly words: readonly (readonly string[])[];
}

const WORDS: Readonly<Record<string, readonly (readonly string[])[]>> = {
  inspect: [
    [
      "templates",
      "template",
      "rules",
      "profiles",
      "requests",
      "decisions",
      "forget",
      "pin",
      "unpin",
      "set",
      "undo",
    ],
    ["template", "rule", "window", "ceiling"],
  ],
  completion: [["bash", "zsh", "fish"]],
};

const SHELLS: Readonly<Record<string, (commands: readonly Completed[]) => string>> = { bash, zsh, fish };

/** @throws OptimizerError `ARGUMENT_INVALID` */
export async function run(args: readonly string[], { out }: Surroundings): Promise<number> {
  const [shell = ""] = readFlags(args, {}).positionals;
  const script = Object.hasOwn(SHELLS, shell) ? SHELLS[shell] : undefined;
  if (!script) {
    throw usageError(
      shell === "" ? "No shell was named" : `There is no completion for "${shell}"`,
      `Name one of ${Object.keys(SHELLS).join(", ")}.`,
    );
  }
  const commands = await Promise.all(
    Object.entries(COMMANDS).map(async ([name, { summary, load }]) => ({
      name,
      summary,
      flags: flagsIn((await load()).usage),
      words: WORDS[name] ?? [],
    })),
  );
  const names = [commands.map(({ name }) => name)];
  const help = { name: "help", summary: "what a command does, with examples", flags: [], words: names };
  out.write(script([...commands, help, { name: "version", summary: "the version", flags: [], words: [] }]));
  return 0;
}

const namesOf = (list: readonly { readonly name: string }[]): string =>
  list.map(({ name }) => name).join(" ");
const FUNCTION = `_${PROGRAM.replaceAll("-", "_")}`;

function bash(commands: readonly Completed[]): string {
  const cases = commands.map(({ name, flags, words }) => {
    const places = words.map(
      (list, index) => `[ "$COMP_CWORD" = ${index + 2} ] && words="$words ${list.join(" ")}"`,
    );
    return `      ${name}) words="${namesOf(flags)} --help"${places.map((place) => `; ${place}`).join("")} ;;`;
  });
  return `${FUNCTION}() {
  local words="${namesOf(commands)}"
  if [ "$COMP_CWORD" -gt 1 ]; then
    case "\${COMP_WORDS[1]}" in
${cases.join("\n")}
      *) words="" ;;
    esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F ${FUNCTION} ${PROGRAM}
`;
}

function zsh(commands: readonly Completed[]): string {
  const described = commands.map(({ name, summary }) => `    ${quoted(`${name}:${summary}`)}`).join("\n");
  const cases = commands.map(({ name, flags, words }) => {
    const places = words.map(
      (list, index) => `(( CURRENT == ${index + 3} )) && compadd -- ${list.join(" ")}`,
    );
    return `    ${name}) compadd -- ${namesOf(flags)} --help${places.map((place) => `; ${place}`).join("")} ;;`;
  });
  return `#compdef ${PROGRAM}
${FUNCTION}() {
  local -a commands=(
${described}
  )
  if (( CURRENT == 2 )); then _describe command commands; return; fi
  case $words[2] in
${cases.join("\n")}
  esac
  _files
}
compdef ${FUNCTION} ${PROGRAM}
`;
}

function fish(commands: readonly Completed[]): string {
  const lines = commands.flatMap(({ name, summary, flags, words }) => {
    const behind = `complete -c ${PROGRAM} -n '__fish_seen_subcommand_from ${name}'`;
    return [
      `complete -c ${PROGRAM} -n __fish_use_subcommand -f -a ${name} -d ${quoted(summary)}`,
      ...(words.length > 0 ? [`${behind} -f -a ${quoted([...new Set(words.flat())].join(" "))}`] : []),
      ...flags.map(
        (flag) =>
          `${behind} -l ${flag.name.slice(2)}${flag.takesValue ? " -r" : ""} -d ${quoted(flag.summary.replace(/ +/g, " "))}`,
      ),
    ];
  });
  return `${lines.join("\n")}\n`;
}

/** As one word of any of the three shells. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

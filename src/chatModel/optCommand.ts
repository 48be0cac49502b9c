/** `/opt [key=value ...] text`: optimizing by the first word of a user message. */
import { type BaseMessage, HumanMessage } from "@langchain/core/messages";
import { OptimizerError } from "../errors.js";

/** What a user may say about one call. Nothing here can reload the server: prompts may come from anybody. */
export interface OptCommand {
  /** Template id that the call belongs to. */
  readonly template?: string;
  /** Output reserve in tokens. */
  readonly reserve?: number;
  /** Put the reason for the decision into `response_metadata.optimizer_explanation`. */
  readonly explain?: boolean;
}

/** A few spaces may stand before it; looking through a megabyte of them would take long. */
const COMMAND = /^\s{0,64}\/opt(?=\s|$)\s*/;
/** A key is at most a word, so that no error message can quote a prompt. */
const SETTING = /^([A-Za-z][\w-]{0,19})=(\S*)(?:\s+|$)/;
const END_OF_SETTINGS = /^--(?:\s+|$)/;

/**
 * Splits a text that starts with `/opt`; null when it does not. A text that begins like a setting itself
 * (`a=b ...`) follows after `--`.
 *
 * @throws OptimizerError `OPTION_INVALID` for a key or a value that is not permitted
 * @example
 * parseOptCommand("/opt reserve=512 explain=true Sum this up.")
 * // { command: { reserve: 512, explain: true }, text: "Sum this up." }
 * parseOptCommand("What is /opt?") // null
 * parseOptCommand("/opt -- x=1, what is 2x?") // { command: {}, text: "x=1, what is 2x?" }
 */
export function parseOptCommand(text: string): { command: OptCommand; text: string } | null {
  const start = COMMAND.exec(text);
  if (!start) return null;
  const command: Record<string, string | number | boolean> = {};
  let rest = text.slice(start[0].length);
  for (let setting = SETTING.exec(rest); setting; setting = SETTING.exec(rest)) {
    const [matched, key, value] = setting as unknown as [string, string, string];
    command[key] = read(key, value);
    rest = rest.slice(matched.length);
  }
  return { command, text: rest.replace(END_OF_SETTINGS, "") };
}

function read(key: string, value: string): string | number | boolean {
  switch (key) {
    case "template":
      if (value) return value;
      throw invalid("/opt template= has no value", "Give the id of a template.");
    case "reserve":
      if (/^[1-9]\d{0,6}$/.test(value)) return Number(value);
      throw invalid("/opt reserve= is not a number of tokens", "Give a whole number above 0.");
    case "explain":
      if (value === "true" || value === "false") return value === "true";
      throw invalid("/opt explain= is neither true nor false", "Give explain=true or explain=false.");
    default:
      throw invalid(
        `/opt does not know the key "${key}"`,
        'It takes template=, reserve= and explain=; text that begins with "word=" goes after "--".',
      );
  }
}

function invalid(message: string, remedy: string): OptimizerError {
  return new OptimizerError({ code: "OPTION_INVALID", message, remedy });
}

/** Commands of messages that were stripped before, e.g. ahead of a cache lookup. */
const stripped = new WeakMap<BaseMessage, OptCommand>();

/**
 * Messages without `/opt`, and the command of the last user message. Commands of earlier turns are removed too:
 * what was sent once must be sent the same again, or the prefix cache is lost. Idempotent; without a command the
 * very same array comes back.
 *
 * @throws OptimizerError `OPTION_INVALID`, for the last user message only
 */
export function stripOptCommands(messages: BaseMessage[]): {
  messages: BaseMessage[];
  command: OptCommand | undefined;
} {
  const last = messages.findLastIndex(isUser);
  let changed = false;
  const result = messages.map((message, index) => {
    if (!isUser(message) || stripped.has(message)) return message;
    const without = withoutCommand(message, index === last);
    changed ||= without !== message;
    return without;
  });
  const lastUser = result[last];
  return { messages: changed ? result : messages, command: lastUser && stripped.get(lastUser) };
}

function isUser(message: BaseMessage): boolean {
  return message.getType() === "human";
}

function withoutCommand(message: BaseMessage, isLast: boolean): BaseMessage {
  const block = typeof message.content === "string" ? undefined : message.content[0];
  const text = block ? (block.type === "text" ? String(block.text) : "") : (message.content as string);
  // The common case costs one look at one character.
  if (!COMMAND.test(text)) return message;
  let parsed: ReturnType<typeof parseOptCommand>;
  try {
    parsed = parseOptCommand(text);
  } catch (error) {
    // A mistake in an earlier turn was an error then; now it is only text.
    if (isLast) throw error;
    return message;
  }
  if (!parsed) return message;
  const { id, name, additional_kwargs, response_metadata } = message;
  const content = block
    ? [{ ...block, type: "text" as const, text: parsed.text }, ...(message.content as object[]).slice(1)]
    : parsed.text;
  const result = new HumanMessage({
    content: content as string,
    id,
    name,
    additional_kwargs,
    response_metadata,
  });
  stripped.set(result, parsed.command);
  return result;
}

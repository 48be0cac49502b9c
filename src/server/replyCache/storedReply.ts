/** Replies of Ollama as they are kept, and given again. */
import type { WireChunk, WireMessage } from "../../backend/wire.js";
import { wordsOf } from "../../chatModel/cachedLines.js";

/** What a call cost: 0 on a hit, where it was told at all. */
const FIGURES = [
  "total_duration",
  "load_duration",
  "prompt_eval_count",
  "prompt_eval_cached_count",
  "prompt_eval_duration",
  "eval_count",
  "eval_duration",
] as const;

/** All lines of a reply as the one that Ollama gives when nothing is streamed. */
export function wholeOf(chunks: readonly WireChunk[]): WireChunk {
  const [last, messages] = [chunks.at(-1) ?? {}, chunks.flatMap(({ message }) => message ?? [])];
  if (chunks.length === 1) return last;
  const logprobs = chunks.flatMap((chunk) => chunk.logprobs ?? []);
  const texts = (name: "response" | "thinking"): string => chunks.map((chunk) => chunk[name] ?? "").join("");
  return {
    ...last,
    ...(logprobs.length > 0 && { logprobs }),
    ...(messages.length > 0 ? { message: joined(messages) } : { response: texts("response") }),
    ...(texts("thinking") !== "" && { thinking: texts("thinking") }),
  };
}

function joined(messages: readonly WireMessage[]): WireMessage {
  const texts = (name: "content" | "thinking"): string =>
    messages.map((message) => message[name] ?? "").join("");
  const calls = messages.flatMap(({ tool_calls }) => tool_calls ?? []);
  return {
    ...messages.at(-1)!,
    content: texts("content"),
    ...(texts("thinking") !== "" && { thinking: texts("thinking") }),
    ...(calls.length > 0 && { tool_calls: calls }),
  };
}

/** What a text holds; null when that is no reply. @throws SyntaxError */
export function readReply(value: string): WireChunk | null {
  const found = JSON.parse(value) as WireChunk | null;
  if (found?.done !== true) return null;
  return typeof (found.message?.content ?? found.response) === "string" ? found : null;
}

/** The last line of a reply that cost nothing this time. */
export function withoutFigures(last: WireChunk): WireChunk {
  const none = FIGURES.filter((name) => last[name] !== undefined).map((name) => [name, 0]);
  return { ...last, ...Object.fromEntries(none) };
}

/**
 * The lines of a reply that was kept: one, or word by word.
 *
 * @param model as the client names it
 * @param at milliseconds since 1970
 */
export function replayed(whole: WireChunk, model: string, stream: boolean, at: number): readonly WireChunk[] {
  const head = { model, created_at: new Date(at).toISOString() };
  const last = { ...withoutFigures(whole), ...head };
  if (!stream) return [last];
  const { message, response, thinking, logprobs, ...end } = last;
  // Probabilities belong to tokens, which are not words.
  const pieces = (text: string): readonly string[] => (logprobs ? [text] : wordsOf(text));
  const line = (part: WireChunk): WireChunk => ({ ...head, ...part, done: false });
  if (!message) {
    return [
      ...wordsOf(thinking ?? "").map((word) => line({ response: "", thinking: word })),
      ...pieces(response ?? "").map((word) => line({ response: word, logprobs })),
      { ...end, response: "" },
    ];
  }
  const { content, thinking: thought = "", tool_calls = [], role } = message;
  return [
    ...wordsOf(thought).map((word) => line({ message: { role, content: "", thinking: word } })),
    ...pieces(content).map((word) => line({ message: { role, content: word }, logprobs })),
    ...tool_calls.map((call) => line({ message: { role, content: "", tool_calls: [call] } })),
    { ...end, message: { role, content: "" } },
  ];
}

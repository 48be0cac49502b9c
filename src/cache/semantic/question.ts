/** What a prompt asks, apart from all that it is asked in. */
import { createHash } from "node:crypto";

/** A prompt's last question, and everything before it. */
export interface AskedQuestion {
  readonly question: string;
  /** System prompt and earlier turns: these must be equal, not alike. */
  readonly before: string;
}

const HUMAN = "Human: ";
/** Behind the question the model or a tool has spoken: then it is not the question that is to be answered. */
const SPOKEN_SINCE = /\n(?:AI|Tool): /;

/**
 * Takes LangChain's text of a prompt apart; null when it does not end with a question of a person. A text without
 * roles is all question.
 *
 * @example askedIn("System: Be brief.\nHuman: Why?") // { question: "Why?", before: "System: Be brief." }
 * @example askedIn("Human: 1 + 2?\nAI: Let me add.") // null
 */
export function askedIn(prompt: string): AskedQuestion | null {
  const last = prompt.lastIndexOf(`\n${HUMAN}`);
  const isWhole = last === -1 && prompt.startsWith(HUMAN);
  if (last === -1 && !isWhole) {
    return /^(?:System|AI|Tool): /.test(prompt) ? null : { question: prompt, before: "" };
  }
  const question = prompt.slice(isWhole ? HUMAN.length : last + 1 + HUMAN.length);
  if (question.trim() === "" || SPOKEN_SINCE.test(question)) return null;
  return { question, before: isWhole ? "" : prompt.slice(0, last) };
}

/** Short names for what must be equal and for one question. */
export function shortHash(...parts: readonly string[]): string {
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex").slice(0, 32);
}

/** How good a reply seems from signals that need no judge. */
import { hashTokens } from "./headTokens.js";

/** What is looked at of a reply. */
export interface Reply {
  readonly text: string;
  readonly toolCalls: number;
  /** Ollama's `done_reason`; null when unknown. */
  readonly doneReason: string | null;
  /** The caller set `num_predict`: a cut reply is then what was asked for. */
  readonly userLimit: boolean;
  /** JSON or a JSON schema was asked for. */
  readonly jsonAsked: boolean;
  /** null when unknown. */
  readonly outputTokens: number | null;
  /** Output tokens of its template, when it has enough replies. */
  readonly norm?: { readonly p50: number; readonly p99: number };
}

export type QualitySignal = "empty" | "cut" | "repetition" | "format" | "length";

/** A score in [0, 1] and what lowered it. */
export interface Quality {
  readonly score: number;
  readonly signals: readonly QualitySignal[];
}

/** A loop shows at the end; this many characters of it are read. */
const TAIL_CHARACTERS = 16_384;
const SHINGLE_TOKENS = 6;
/** Fewer shingles say nothing; tables and code repeat up to a third of theirs. */
const FEWEST_SHINGLES = 40;
const HARMLESS_REPETITION = 1 / 3;

/**
 * Share of a text's runs of six tokens that occurred before in its last 16,384 characters.
 *
 * @returns 0..1; 0 for texts too short to tell
 * @example repetition("no ".repeat(100)) // 0.989...
 */
export function repetition(text: string): number {
  const tokens = new Int32Array(TAIL_CHARACTERS);
  const count = hashTokens(text.slice(-TAIL_CHARACTERS), tokens, 0);
  const shingles = count - SHINGLE_TOKENS + 1;
  if (shingles < FEWEST_SHINGLES) return 0;
  const distinct = new Set<number>();
  for (let start = 0; start < shingles; start++) {
    let hash = 0;
    for (let i = start; i < start + SHINGLE_TOKENS; i++) hash = Math.imul(hash, 0x2c1b3c6d) + tokens[i]!;
    distinct.add(hash | 0);
  }
  return 1 - distinct.size / shingles;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/**
 * The product of what each signal leaves:
 *
 * - empty, neither text nor tool calls: 0
 * - cut, `done_reason: length` without a limit of the caller: 0.5
 * - repetition r above 1/3: falls from 1 to 0 as r rises to 1
 * - JSON asked for and not parseable: 0.2
 * - length: more than twice the template's p99, or less than an eighth of its median; falls with the ratio, at
 *   worst to 0.5, because an unusual reply need not be a bad one
 *
 * @example assessReply({ text: "", toolCalls: 0, doneReason: "stop", userLimit: false, jsonAsked: false, outputTokens: 1 })
 * // { score: 0, signals: ["empty"] }
 */
export function assessReply(reply: Reply): Quality {
  if (reply.text.trim() === "" && reply.toolCalls === 0) return { score: 0, signals: ["empty"] };
  const signals: QualitySignal[] = [];
  let score = 1;
  const leave = (signal: QualitySignal, share: number): void => {
    if (share >= 1) return;
    signals.push(signal);
    score *= share;
  };
  leave("cut", reply.doneReason === "length" && !reply.userLimit ? 0.5 : 1);
  leave("repetition", (1 - repetition(reply.text)) / (1 - HARMLESS_REPETITION));
  leave("format", reply.jsonAsked && reply.text.trim() !== "" && !isJson(reply.text) ? 0.2 : 1);
  if (reply.norm !== undefined && reply.outputTokens !== null && reply.outputTokens > 0) {
    const { p50, p99 } = reply.norm;
    const excess = Math.max(reply.outputTokens / (2 * p99), p50 / (8 * reply.outputTokens));
    leave("length", Math.max(0.5, 1 / excess));
  }
  return { score, signals };
}

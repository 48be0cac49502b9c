/** How good a reply seems from signals that need no judge. */
import { hashTokens } from "./headTokens.js";

/** What is looked at of a reply. */
export interface Reply {
  readonly text: string;
  readonly toolCalls: number;
  /** Ollama's `done_reason`; null when unknown. */
  readonly doneReason: string | null;
  /** The caller set `num_predict`: a cut reply is then what was asked for. */
  readonly hasUserLimit: boolean;
  /** JSON or a JSON schema was asked for. */
  readonly expectsJson: boolean;
  /** null when unknown. */
  readonly outputTokens: number | null;
  /** Output tokens of its template, when it has enough replies. */
  readonly norm?: { readonly p50: number; readonly p99: number };
}

export type QualitySignal = "empty" | "cut" | "repetition" | "format" | "length";

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
 * @example repetition("no ".repeat(100)) // 0.99
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
 * What each signal leaves of a reply's quality, 0..1:
 *
 * - `empty`, neither text nor tool calls: 0
 * - `cut`, `done_reason: length` without a limit of the caller: 0.5
 * - `repetition` r above 1/3: falls from 1 to 0 as r rises to 1
 * - `format`, JSON expected and not parseable: 0.2
 * - `length`, more than twice the template's p99 or less than an eighth of its median: falls with the ratio, at
 *   worst to 0.5, because an unusual reply need not be a bad one
 */
export function qualityFactors(reply: Reply): Readonly<Record<QualitySignal, number>> {
  const hasText = reply.text.trim() !== "";
  const { norm, outputTokens } = reply;
  const excess =
    norm && outputTokens ? Math.max(outputTokens / (2 * norm.p99), norm.p50 / (8 * outputTokens)) : 1;
  return {
    empty: hasText || reply.toolCalls > 0 ? 1 : 0,
    cut: reply.doneReason === "length" && !reply.hasUserLimit ? 0.5 : 1,
    repetition: Math.min(1, (1 - repetition(reply.text)) / (1 - HARMLESS_REPETITION)),
    format: reply.expectsJson && hasText && !isJson(reply.text) ? 0.2 : 1,
    length: Math.min(1, Math.max(0.5, 1 / excess)),
  };
}

/**
 * Quality proxy in [0, 1]: the product of {@link qualityFactors}.
 *
 * @example
 * replyQuality({ text: "Par", toolCalls: 0, doneReason: "length", hasUserLimit: false, expectsJson: false, outputTokens: 1 })
 * // 0.5
 */
export function replyQuality(reply: Reply): number {
  return Object.values(qualityFactors(reply)).reduce((product, factor) => product * factor, 1);
}

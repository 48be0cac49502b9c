/** Replies as text and back: each time anew, so that nobody changes what another one was given. */

import { deserializeStoredGeneration, serializeGeneration } from "@langchain/core/caches";
import { AIMessage, type AIMessageFields, isAIMessage } from "@langchain/core/messages";
import type { ChatGeneration, Generation } from "@langchain/core/outputs";

/** Short names: they stand in every entry. */
interface StoredReply {
  readonly text: string;
  readonly info?: Record<string, unknown>;
  /** Of a chat model's reply. */
  readonly message?: AIMessageFields;
  /** Any other message, in LangChain's form. */
  readonly other?: ReturnType<typeof serializeGeneration>;
}

/** What is stored under a key: replies, and what it took to get them. */
export interface StoredReplies {
  readonly replies: readonly StoredReply[];
  readonly tookMs: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
}

/** How a reply says that it came from a cache: `response_metadata.cache`. */
export interface CachedMark {
  readonly hit: true;
  readonly key: string;
  /** ISO 8601. */
  readonly storedAt: string;
  /** This one counted in. */
  readonly hits: number;
  /** Of a hit by likeness: the cosine of the questions' embeddings. */
  readonly similarity?: number;
  /** The same times the share of words that they have in common: what the threshold is about. */
  readonly score?: number;
  /** The question that the reply was given to. */
  readonly source?: string;
  /** Key of the question that was asked. */
  readonly asked?: string;
}

/** @param tookMs when the reply does not say it itself */
export function storedReplies(generations: readonly Generation[], tookMs: number): StoredReplies {
  const usages = generations.map((generation) => usageOf(generation));
  const total = (name: "input_tokens" | "output_tokens") =>
    usages.reduce((sum, usage) => sum + (usage?.[name] ?? 0), 0);
  return {
    replies: generations.map(stored),
    tookMs: durationMs(generations[0]) ?? tookMs,
    inputTokens: total("input_tokens"),
    outputTokens: total("output_tokens"),
  };
}

function stored(generation: Generation): StoredReply {
  const { text, generationInfo: info } = generation;
  const { message } = generation as ChatGeneration;
  if (message === undefined) return { text, info };
  if (!isAIMessage(message)) return { text, info, other: serializeGeneration(generation) };
  const { content, name, additional_kwargs, response_metadata, tool_calls, usage_metadata } = message;
  // Without its id: in a graph's state a second message with the same id replaces the first.
  return {
    text,
    info,
    message: { content, name, additional_kwargs, response_metadata, tool_calls, usage_metadata },
  };
}

/** What a text holds; null when that is no reply. @throws SyntaxError */
export function readReplies(value: string): StoredReplies | null {
  const found = JSON.parse(value) as Partial<StoredReplies> | null;
  const { replies } = found ?? {};
  if (!Array.isArray(replies) || replies.length === 0) return null;
  const figures = [found?.tookMs, found?.inputTokens, found?.outputTokens];
  return replies.every(isReply) && figures.every(isFigure) ? (found as StoredReplies) : null;
}

function isReply({ text, info, message, other }: Partial<StoredReply>): boolean {
  return typeof text === "string" && isFields(info) && isMessage(message) && isOther(other);
}

function isOther(other: StoredReply["other"]): boolean {
  if (other === undefined) return true;
  try {
    return (deserializeStoredGeneration(other) as Partial<ChatGeneration>).message !== undefined;
  } catch {
    return false;
  }
}

/** Other programs, of another version, may have written it: a message of anything else would fail its reader. */
function isMessage(message: AIMessageFields | undefined): boolean {
  if (message === undefined) return true;
  const { content, additional_kwargs, response_metadata, usage_metadata, tool_calls = [] } = message;
  const isContent = typeof content === "string" || (Array.isArray(content) && content.every(isBlock));
  if (!isContent || !Array.isArray(tool_calls) || !tool_calls.every(isCall)) return false;
  return [additional_kwargs, response_metadata, usage_metadata].every(isFields);
}

const isFigure = (value: unknown): boolean => typeof value === "number" && value >= 0;
const isFields = (value: unknown): boolean => value === undefined || isObject(value);
const isObject = (value: unknown): value is object =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isBlock = (block: unknown): boolean =>
  isObject(block) && typeof (block as { type?: unknown }).type === "string";
const isCall = (call: unknown): boolean =>
  isObject(call) &&
  typeof (call as { name?: unknown }).name === "string" &&
  isObject((call as { args?: unknown }).args);

/** Fresh generations; each message says that it was cached. */
export function freshGenerations({ replies }: StoredReplies, mark: CachedMark): Generation[] {
  return replies.map(({ text, info, message, other }) => {
    if (other !== undefined) return { ...deserializeStoredGeneration(other), generationInfo: info };
    if (message === undefined) return { text, generationInfo: { ...info, cache: mark } };
    const response_metadata = { ...message.response_metadata, cache: mark };
    const fresh = new AIMessage({ ...message, response_metadata });
    return { text, message: fresh, generationInfo: info } as Generation;
  });
}

function usageOf(generation: Generation): AIMessage["usage_metadata"] {
  const { message } = generation as ChatGeneration;
  return message === undefined ? undefined : (message as AIMessage).usage_metadata;
}

/** Ollama's own figure, in nanoseconds on the wire. */
function durationMs(generation: Generation | undefined): number | undefined {
  const metadata = {
    ...generation?.generationInfo,
    ...(generation as ChatGeneration | undefined)?.message?.response_metadata,
  };
  const { total_duration: nanoseconds } = metadata as { total_duration?: unknown };
  return typeof nanoseconds === "number" && nanoseconds > 0 ? nanoseconds / 1e6 : undefined;
}

/** LangChain's cache: the same call gets the same reply, without the model. */
import { createHash } from "node:crypto";
import type { Generation } from "@langchain/core/outputs";
import type { EntryCache } from "./entryCache.js";
import { freshGenerations, readReplies } from "./generations.js";
import type { TimeToLive } from "./options.js";
import { jsonOf, ReplyCache, type ReplyCacheOptions } from "./replyCache.js";
import { keyFacts } from "./storable.js";

/**
 * Remembers replies of chat and text models by everything that can change them. The reply says that it was cached
 * and under which key: `response_metadata.cache`. With `OptimizedChatOllama` streams are served and kept too, and
 * of equal calls at the same time one goes to the server.
 *
 * Not kept are replies that were cut, are empty or hold an unreadable tool call, and those at a temperature above 0
 * unless `sampled` says so. A failing place never fails a call.
 *
 * @example
 * const cache = new ExactCache({ backend: folderBackend("./optimizer"), ttlSeconds: 86_400 });
 * const model = new OptimizedChatOllama({ model: "qwen3:8b", temperature: 0, cache });
 * await model.invoke("Why is the sky blue?");
 * await cache.invalidate("qwen3:8b/*");
 */
export class ExactCache extends ReplyCache {
  /** @throws OptimizerError `OPTION_INVALID` */
  constructor(options: ReplyCacheOptions = {}, shared?: EntryCache) {
    super(options, shared);
    this.makeDefaultKeyEncoder(cacheKeyOf);
  }

  /** Called by LangChain: the replies to this very prompt under this very configuration, or null. */
  override async lookup(prompt: string, llmKey: string): Promise<Generation[] | null> {
    if (!this.admits(llmKey)) return null;
    const key = this.keyOf(prompt, llmKey);
    const hit = await this.entryCache.read(key, readReplies);
    if (!hit) return this.open(key);
    this.credit(hit.value, llmKey);
    const storedAt = new Date(hit.storedAt).toISOString();
    return freshGenerations(hit.value, { hit: true, key, storedAt, hits: hit.hits });
  }

  /** Called by LangChain: keeps replies, unless they must not be kept. */
  override async update(prompt: string, llmKey: string, generations: Generation[]): Promise<void> {
    const key = this.keyOf(prompt, llmKey);
    const replies = this.storable(key, llmKey, generations);
    const value = replies && jsonOf(replies);
    if (value !== null) await this.entryCache.set(key, value, this.ttlSeconds);
  }

  /** The same cache for calls whose replies live longer or shorter. @throws OptimizerError `OPTION_INVALID` */
  withTtl(ttlSeconds: TimeToLive): ExactCache {
    return new ExactCache(this.optionsWith(ttlSeconds), this.entryCache);
  }

  protected override keyOf(prompt: string, llmKey: string): string {
    return this.keyEncoder(prompt, llmKey);
  }
}

/** Ids of tool calls are drawn anew for each reply: with them, no second step of an agent would ever hit. */
const TOOL_CALL_ID = /("type":"tool_call",)"id":"[^"]*"|"id":"[^"]*"(,"type":"tool_call")/g;

/**
 * The model's name and a SHA-256 of prompt and parameters: readable where patterns need it, and no prompt text.
 *
 * @example cacheKeyOf("Human: a", 'model:"tiny"').slice(0, 12) // "tiny/0744b06"
 */
export function cacheKeyOf(prompt: string, llmKey: string): string {
  const text = prompt.includes('"tool_call"') ? prompt.replace(TOOL_CALL_ID, "$1$2") : prompt;
  // With its length in front no part of one can be read as a part of the other.
  const hash = createHash("sha256").update(`${text.length} ${text}${llmKey}`).digest("hex");
  return `${keyFacts(llmKey).model ?? "model"}/${hash}`;
}

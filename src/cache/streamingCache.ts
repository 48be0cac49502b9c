/** What the chat models of this package ask of a cache beyond LangChain's contract. */
import type { BaseCache } from "@langchain/core/caches";
import type { Generation } from "@langchain/core/outputs";
import type { Land } from "./flights.js";

/** A cache that serves streams and lets one of several equal calls go first. */
export interface StreamingCache extends BaseCache<Generation[]> {
  readonly servesStreams: true;
  enter(prompt: string, llmKey: string, signal?: AbortSignal): Promise<Land>;
}

/** Also for a cache of another installed copy of the package. */
export function isStreamingCache(cache: unknown): cache is StreamingCache {
  return typeof cache === "object" && cache !== null && "servesStreams" in cache;
}

/** A cache that answers questions which are asked in other words, with a stated bound on wrong answers. */
import { randomUUID } from "node:crypto";
import type { EmbeddingsInterface } from "@langchain/core/embeddings";
import type { Generation } from "@langchain/core/outputs";
import { type CachedMark, freshGenerations, readReplies, type StoredReplies } from "../generations.js";
import { Harmless } from "../harmless.js";
import { jsonOf, ReplyCache, type ReplyCacheOptions } from "../replyCache.js";
import { keyFacts } from "../storable.js";
import { Feedback } from "./feedback.js";
import type { Difference } from "./guards/index.js";
import { askedIn, shortHash } from "./question.js";
import { type IndexedQuestion, QuestionIndex } from "./questionIndex.js";
import { type Comparison, compare, dotProduct, normalized } from "./similarity.js";
import type { FeedbackSample, LearnedThreshold } from "./threshold.js";

export interface SemanticCacheOptions extends ReplyCacheOptions {
  /** Any of LangChain's. */
  readonly embeddings: EmbeddingsInterface;
  /** Share of hits that may be wrong. @default 0.01 */
  readonly wrongHits?: number;
  /** Whose questions these are: others never see their replies. */
  readonly tenant?: string;
  /**
   * Judges, when a call went out, whether the nearest cached reply would have done as well: that is how a cache
   * learns by itself. Without it, it learns from {@link SemanticCache.learn} and {@link SemanticCache.rate}.
   */
  readonly isSame?: (fresh: string, cached: string) => boolean | Promise<boolean>;
}

/** Two questions, and whether one reply is right for both. */
export interface JudgedPair {
  readonly a: string;
  readonly b: string;
  readonly isSame: boolean;
}

/** Why a question hits or misses. */
export interface Explanation {
  readonly isHit: boolean;
  /** One sentence for people. */
  readonly reason: string;
  readonly learned: LearnedThreshold;
  /** The most alike questions, first the most alike. */
  readonly candidates: readonly (Comparison & { readonly key: string; readonly source: string })[];
}

interface StoredQuestion {
  readonly question: string;
  readonly scope: string;
  /** Float32, base64. */
  readonly vector: string;
  readonly replies: StoredReplies;
}

type StoredSample = readonly [score: number, isRight: number, pair?: string];

const ENTRIES = "semantic/";
const FEEDBACK = "semantic-feedback/";
/** What others stored is looked for so often, in milliseconds. */
const REFRESH_MS = 5_000;
/** A model of embeddings may have to be loaded first. */
const EMBEDDING_MS = 10_000;
/** More alike ones are seldom refused all together. */
const CANDIDATES = 8;
/** Below this a pair says nothing about thresholds. */
const LEAST_SIMILARITY = 0.3;
/** Models of embeddings read some 256 tokens and leave out the rest: longer questions hit by equality alone. */
const MOST_CHARACTERS = 1_000;
/** Compared with none. */
const NO_VECTOR = new Float32Array(0);
/** Calls under way whose embedding waits for their reply. */
const MAX_PENDING = 1_000;
/** Wrong hits that are remembered one by one. */
const MAX_REFUSED = 10_000;

/** A call under way. */
interface Pending {
  readonly vector: Float32Array;
  /** What nearly answered it. */
  readonly nearest: { readonly key: string; readonly score: number } | null;
}

/**
 * Gives the reply of a question that was asked in other words. It serves nothing until feedback shows that at most
 * `wrongHits` of what it would serve is wrong, and then only above the learned threshold. Questions that differ in
 * numbers, units, signs, dates, negations, names, opposites, in who does what or the kind of answer, or of which each
 * has a word that the other lacks, never hit, as far as its lists of English words go. System prompt, earlier turns,
 * model, its options and the tenant must be equal. A hit says how alike it was and to which question the
 * reply was given: `response_metadata.cache`.
 *
 * It keeps the questions' text, for comparison. Its guards know English.
 *
 * @example
 * const cache = new SemanticCache({ embeddings: new OllamaEmbeddings({ model: "all-minilm" }), wrongHits: 0.01 });
 * await cache.learn(judgedPairs);
 * const model = new OptimizedChatOllama({ model: "qwen3:8b", temperature: 0, cache });
 */
export class SemanticCache extends ReplyCache {
  readonly #embeddings: EmbeddingsInterface;
  readonly #embeddingsName: string;
  readonly #embedder: Harmless;
  readonly #tenant: string;
  readonly #isSame: SemanticCacheOptions["isSame"];
  readonly #feedback: Feedback;
  readonly #feedbackKey = `${FEEDBACK}${randomUUID()}`;
  readonly #own: FeedbackSample[] = [];
  readonly #index = new QuestionIndex();
  readonly #pending = new Map<string, Pending>();
  /** Questions whose nearest reply was said to be wrong. */
  readonly #refused = new Set<string>();
  #refreshedAt = Number.NEGATIVE_INFINITY;
  #hasFeedback = false;

  /** @throws OptimizerError `OPTION_INVALID` */
  constructor(options: SemanticCacheOptions) {
    super(options);
    this.#embeddings = options.embeddings;
    this.#embeddingsName = String((options.embeddings as { readonly model?: unknown }).model ?? "");
    this.#embedder = new Harmless("The embeddings' model", options.logger, this.entryCache.now);
    this.#tenant = options.tenant ?? "";
    this.#isSame = options.isSame;
    this.#feedback = new Feedback(options.wrongHits ?? 0.01);
  }

  /** The present threshold, or how much feedback it still takes. */
  get learned(): LearnedThreshold {
    return this.#feedback.learned;
  }

  /** Called by LangChain: the replies to this prompt, or to one that asks the same in other words, or null. */
  override async lookup(prompt: string, llmKey: string): Promise<Generation[] | null> {
    if (!this.admits(llmKey)) return null;
    const asked = askedIn(prompt);
    if (!asked) return this.#missed();
    await this.#refresh();
    const scope = this.#scopeOf(asked.before, llmKey);
    const key = keyIn(scope, asked.question, llmKey);
    if (this.#index.has(key)) {
      const same = await this.#replyOf(key, llmKey);
      if (same) return same;
    }
    const vector = await this.#embed(asked.question);
    const nearest = vector && this.#nearest(asked.question, vector, scope)[0];
    const { threshold } = this.learned;
    if (nearest && threshold !== null && nearest.score >= threshold && !this.#isRefused(key, nearest.key)) {
      const found = await this.#replyOf(nearest.key, llmKey, { ...nearest, asked: key });
      if (found) return found;
    }
    if (vector) this.#pending.set(key, { vector, nearest: nearest ?? null });
    if (this.#pending.size > MAX_PENDING) this.#pending.delete(this.#pending.keys().next().value!);
    return this.#missed(key);
  }

  /** Called by LangChain: keeps replies, unless they must not be kept. */
  override async update(prompt: string, llmKey: string, generations: Generation[]): Promise<void> {
    const asked = askedIn(prompt);
    if (!asked) return;
    const scope = this.#scopeOf(asked.before, llmKey);
    const key = keyIn(scope, asked.question, llmKey);
    const pending = this.#pending.get(key);
    this.#pending.delete(key);
    const replies = this.storable(key, llmKey, generations);
    if (!replies) return;
    if (pending?.nearest) void this.#judge(replies, pending.nearest).catch(() => {});
    const vector = pending?.vector ?? (await this.#embed(asked.question));
    if (!vector) return;
    const stored: StoredQuestion = { question: asked.question, scope, vector: encoded(vector), replies };
    const value = jsonOf(stored);
    if (value === null) return;
    await this.entryCache.set(key, value, this.ttlSeconds);
    this.#index.set({ key, scope, question: asked.question, vector });
  }

  /** Learns from judged pairs. Embeds both questions of each. @throws what the embeddings throw */
  async learn(pairs: readonly JudgedPair[]): Promise<LearnedThreshold> {
    const texts = [...new Set(pairs.flatMap(({ a, b }) => [a, b]))];
    const vectors = await this.#embeddings.embedDocuments(texts);
    const byText = new Map(texts.map((text, index) => [text, normalized(vectors[index]!)]));
    const samples = pairs.flatMap(({ a, b, isSame }) => {
      const { score, difference } = compare(a, b, dotProduct(byText.get(a)!, byText.get(b)!));
      // What never hits says nothing about a threshold.
      return difference === null ? [{ score, isRight: isSame, pair: shortHash(...[a, b].sort()) }] : [];
    });
    await this.#refresh();
    this.#feedback.add(samples);
    // The same pairs have the same place, whichever program starts with them and however they were judged before.
    const place = shortHash(this.#embeddingsName, ...samples.map(({ pair }) => pair));
    await this.entryCache.set(`${FEEDBACK}${place}`, feedbackText(samples), null);
    return this.learned;
  }

  /**
   * Says whether a reply from the cache was right. After a wrong one, that question does not get this reply again.
   *
   * @param mark `response_metadata.cache` of the reply; a reply that was no hit by likeness changes nothing
   */
  async rate(mark: unknown, isRight: boolean): Promise<LearnedThreshold> {
    const { score, asked, key } = (mark ?? {}) as Partial<CachedMark>;
    if (score === undefined || asked === undefined || key === undefined) return this.learned;
    if (!isRight) this.#refuse(asked, key);
    await this.#remember([{ score, isRight }]);
    return this.learned;
  }

  /**
   * Why a question would hit or miss now.
   *
   * @param llmKey of the model that is asked; left out, all scopes are looked through
   * @throws what the embeddings throw
   */
  async explain(prompt: string, llmKey?: string): Promise<Explanation> {
    await this.#refresh();
    const { learned } = this;
    const asked = askedIn(prompt);
    if (!asked)
      return { isHit: false, reason: "The prompt does not end with a question.", learned, candidates: [] };
    const scope = llmKey === undefined ? undefined : this.#scopeOf(asked.before, llmKey);
    const vector = normalized(await this.#embeddings.embedQuery(asked.question));
    for (const { indexed } of this.#index.nearest(vector, scope, LEAST_SIMILARITY, CANDIDATES)) {
      if (!(await this.#isAlive(indexed.key))) this.#index.delete(indexed.key);
    }
    const candidates = this.#index.nearest(vector, scope, LEAST_SIMILARITY, CANDIDATES).map((candidate) => ({
      key: candidate.indexed.key,
      source: candidate.indexed.question,
      ...compare(asked.question, candidate.indexed.question, candidate.similarity),
    }));
    if (candidates.some(({ source }) => source === asked.question)) {
      return { isHit: true, reason: "The same question was answered before.", learned, candidates };
    }
    const best = bestOf(candidates);
    if (best && llmKey !== undefined && this.#isRefused(keyIn(scope!, asked.question, llmKey), best.key)) {
      const reason = "The reply of the most alike question was said to be wrong for this one.";
      return { isHit: false, reason, learned, candidates };
    }
    const isHit = best !== undefined && learned.threshold !== null && best.score >= learned.threshold;
    return { isHit, reason: reasonOf(learned, candidates[0], best), learned, candidates };
  }

  /** Without `which`, all questions; what was learned stays. */
  override async invalidate(which: string | RegExp = `${ENTRIES}*`): Promise<number> {
    const removed = await super.invalidate(which);
    this.#refreshedAt = Number.NEGATIVE_INFINITY;
    return removed;
  }

  protected override keyOf(prompt: string, llmKey: string): string {
    const asked = askedIn(prompt);
    return keyIn(this.#scopeOf(asked?.before ?? "", llmKey), asked?.question ?? prompt, llmKey);
  }

  #missed(key?: string): null {
    this.entryCache.tally.misses++;
    return key === undefined ? null : this.open(key);
  }

  #scopeOf(before: string, llmKey: string): string {
    return shortHash(before, llmKey, this.#tenant, this.#embeddingsName);
  }

  #refuse(asked: string, key: string): void {
    this.#refused.add(`${asked} ${key}`);
    if (this.#refused.size > MAX_REFUSED) this.#refused.delete(this.#refused.keys().next().value!);
  }

  #isRefused(asked: string, key: string): boolean {
    return this.#refused.has(`${asked} ${key}`);
  }

  async #isAlive(key: string): Promise<boolean> {
    const { backend, now } = this.entryCache;
    const entry = await this.entryCache.safely(() => backend.get(key), undefined);
    return entry !== undefined && (entry.expiresAt === null || entry.expiresAt > now());
  }

  async #embed(text: string): Promise<Float32Array | null> {
    if (text.length > MOST_CHARACTERS) return NO_VECTOR;
    const vector = await this.#embedder.run(() => this.#embeddings.embedQuery(text), null, EMBEDDING_MS);
    return vector && normalized(vector);
  }

  /** Candidates that nothing forbids, the best first. */
  #nearest(
    question: string,
    vector: Float32Array,
    scope: string,
  ): (Comparison & { key: string; source: string })[] {
    return this.#index
      .nearest(vector, scope, LEAST_SIMILARITY, CANDIDATES)
      .map(({ indexed, similarity }) => ({
        key: indexed.key,
        source: indexed.question,
        ...compare(question, indexed.question, similarity),
      }))
      .filter(({ difference }) => difference === null)
      .sort((a, b) => b.score - a.score);
  }

  async #replyOf(
    key: string,
    llmKey: string,
    by?: { similarity: number; score: number; source: string; asked: string },
  ): Promise<Generation[] | null> {
    const hit = await this.entryCache.read(key, (value) => {
      const { replies } = JSON.parse(value) as Partial<StoredQuestion>;
      return readReplies(JSON.stringify(replies ?? null));
    });
    if (!hit) {
      this.#index.delete(key);
      // Another one may answer: the whole look is a hit or a miss.
      this.entryCache.tally.misses--;
      return null;
    }
    this.credit(hit.value, llmKey);
    const storedAt = new Date(hit.storedAt).toISOString();
    const { similarity, score, source, asked } = by ?? {};
    return freshGenerations(hit.value, {
      hit: true,
      key,
      storedAt,
      hits: hit.hits,
      similarity,
      score,
      source,
      asked,
    });
  }

  /** Beside the call: the reply is there, and nobody waits for what is learned from it. */
  async #judge(fresh: StoredReplies, { key, score }: { key: string; score: number }): Promise<void> {
    const isSame = this.#isSame;
    if (!isSame) return;
    const entry = await this.entryCache.safely(() => this.entryCache.backend.get(key), undefined);
    const cached = entry && (JSON.parse(entry.value) as StoredQuestion).replies.replies[0]?.text;
    if (typeof cached !== "string") return;
    const isRight = await isSame(fresh.replies[0]!.text, cached);
    await this.#remember([{ score, isRight }]);
  }

  async #remember(samples: readonly FeedbackSample[]): Promise<void> {
    this.#feedback.add(samples);
    this.#own.push(...samples);
    await this.entryCache.set(this.#feedbackKey, feedbackText(this.#own), null);
  }

  /** Takes in what lies in the place already, and what other programs put there. */
  async #refresh(): Promise<void> {
    const { now, backend } = this.entryCache;
    if (now() - this.#refreshedAt < REFRESH_MS) return;
    this.#refreshedAt = now();
    await this.entryCache.safely(async () => {
      const present = new Set<string>();
      for await (const { key } of backend.entries()) {
        present.add(key);
        // In use, or it would be driven out before any reply.
        if (key.startsWith(FEEDBACK)) await backend.touch(key, now(), null);
        if (this.#isNews(key)) this.#take(key, (await backend.get(key))?.value ?? "");
      }
      for (const key of [...this.#index.keys()]) if (!present.has(key)) this.#index.delete(key);
      this.#hasFeedback = true;
    }, undefined);
  }

  /** Questions that are not known yet; what other programs have judged, once. */
  #isNews(key: string): boolean {
    if (key.startsWith(ENTRIES)) return !this.#index.has(key);
    return key.startsWith(FEEDBACK) && key !== this.#feedbackKey && !this.#hasFeedback;
  }

  /** What cannot be read is not there. */
  #take(key: string, value: string): void {
    try {
      const found = JSON.parse(value) as StoredQuestion | StoredSample[];
      if (Array.isArray(found)) {
        this.#feedback.add(found.map(([score, isRight, pair]) => ({ score, isRight: isRight === 1, pair })));
      } else {
        const { question, scope, vector } = found as StoredQuestion;
        this.#index.set({ key, scope, question, vector: decoded(vector) } satisfies IndexedQuestion);
      }
    } catch {
      // Damaged.
    }
  }
}

function keyIn(scope: string, question: string, llmKey: string): string {
  return `${ENTRIES}${keyFacts(llmKey).model ?? "model"}/${scope}/${shortHash(question)}`;
}

function bestOf<C extends Comparison>(candidates: readonly C[]): C | undefined {
  return candidates.filter(({ difference }) => difference === null).sort((a, b) => b.score - a.score)[0];
}

const DIFFERENCES: Readonly<Record<Difference, string>> = {
  script: "it is not written in Latin letters",
  numbers: "numbers differ",
  units: "units differ",
  signs: "signs differ",
  dates: "dates differ",
  negation: "one of them negates",
  opposites: "they name opposites",
  names: "names differ",
  words: "each has a word that the other lacks",
  roles: "the same words have other parts in them",
  "kind of answer": "they want another kind of answer",
};

function reasonOf(
  { threshold, samples, needed }: LearnedThreshold,
  nearest: Comparison | undefined,
  best: Comparison | undefined,
): string {
  if (!nearest) return "No question of this scope is alike.";
  if (!best) return `The most alike question is refused: ${DIFFERENCES[nearest.difference!]}.`;
  if (threshold === null)
    return `Not enough feedback (${samples} judged pairs, at least ${needed} are needed).`;
  const relation = best.score >= threshold ? "reaches" : "is below";
  return `The score ${best.score.toFixed(3)} ${relation} the learned threshold ${threshold.toFixed(3)}.`;
}

const feedbackText = (samples: readonly FeedbackSample[]): string =>
  JSON.stringify(samples.map(({ score, isRight, pair }): StoredSample => [score, isRight ? 1 : 0, pair]));

const encoded = (vector: Float32Array): string => Buffer.from(vector.buffer).toString("base64");

function decoded(vector: string): Float32Array {
  const bytes = Buffer.from(vector, "base64");
  // A copy: a Buffer's memory need not begin at a multiple of four.
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
}

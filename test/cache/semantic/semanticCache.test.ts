import { HumanMessage, SystemMessage } from "@langchain/core/messages";
import { describe, expect, test } from "vitest";
import { memoryBackend } from "../../../src/cache/index.js";
import { SemanticCache, type SemanticCacheOptions } from "../../../src/cache/semantic/index.js";
import type { OptimizedChatOllamaInput } from "../../../src/chatModel/options.js";
import { bench } from "../../chatModel/support.js";
import { recordedEmbeddings } from "../../fixtures/paraphrases/embeddings.mjs";
import { pairsOf, readQuestions } from "../../fixtures/paraphrases/questions.mjs";

const vectors = recordedEmbeddings();
const judged = readQuestions()
  .filter((_, index) => index % 2 === 1)
  .flatMap(pairsOf);

/** Recorded vectors; other texts have one of their own, unlike all others. */
function embeddings() {
  let asked = 0;
  const embed = (text: string): number[] => {
    asked++;
    return [
      ...(vectors.get(text) ?? Array.from({ length: 384 }, (_, at) => Math.sin(text.length * 31 + at * at))),
    ];
  };
  return {
    model: "minilm",
    asked: () => asked,
    embedQuery: async (text: string) => embed(text),
    embedDocuments: async (texts: string[]) => texts.map(embed),
  };
}

/** What a cache keeps of it. */
const lesson = await (async () => {
  const backend = memoryBackend();
  await new SemanticCache({ embeddings: embeddings(), backend }).learn(judged);
  for await (const { key } of backend.entries()) return (await backend.get(key))!;
  throw new Error("Nothing was kept");
})();

/** A model with a cache that has learned from the half of the questions that is not asked here. */
async function cached(options: Partial<SemanticCacheOptions> = {}, isTaught = true) {
  let calls = 0;
  const b = await bench(({ messages }) => `reply ${++calls} to ${messages.at(-1)!.content}`, {
    models: [{ name: "tiny" }, { name: "other" }],
  });
  const backend = options.backend ?? memoryBackend();
  if (isTaught) await backend.set({ ...lesson, expiresAt: null });
  const cache = new SemanticCache({ embeddings: embeddings(), ...options, backend });
  const model = (fields: OptimizedChatOllamaInput = {}) => b.model({ temperature: 0, cache, ...fields });
  return {
    b,
    cache,
    model,
    calls: () => b.bodies().length,
    [Symbol.asyncDispose]: () => b[Symbol.asyncDispose](),
  };
}
const mark = (reply: { response_metadata: Record<string, unknown> }) =>
  reply.response_metadata.cache as Record<string, unknown> | undefined;

const ASKED = "What is the tallest building in Dubai?";
const AGAIN = "What's Dubai's tallest building?";
const ELSEWHERE = "What's Chicago's tallest building?";

test("a question in other words gets the reply, which says how alike it was and to what it was given", async () => {
  await using c = await cached();
  const first = await c.model().invoke(ASKED);
  const second = await c.model().invoke(AGAIN);
  expect(c.calls()).toBe(1);
  expect(second.text).toBe(first.text);
  expect(second.usage_metadata).toMatchObject({ total_tokens: 0 });
  expect(mark(second)).toMatchObject({ hit: true, source: ASKED, hits: 1 });
  expect(mark(second)!.similarity).toBeGreaterThan(0.9);
  expect(mark(second)!.score).toBeGreaterThanOrEqual(c.cache.learned.threshold!);
});

test("streams are served as well", async () => {
  await using c = await cached();
  const first = await c.model().invoke(ASKED);
  let text = "";
  for await (const chunk of await c.model().stream(AGAIN)) text += chunk.text;
  expect(text).toBe(first.text);
  expect(c.calls()).toBe(1);
});

test("the same words hit without any feedback, other words do not", async () => {
  await using c = await cached({}, false);
  await c.model().invoke(ASKED);
  expect(mark(await c.model().invoke(ASKED))).toMatchObject({ hit: true });
  expect(mark(await c.model().invoke(ASKED))!.similarity).toBe(undefined);
  await c.model().invoke(AGAIN);
  expect(c.calls()).toBe(2);
  expect(c.cache.learned).toMatchObject({ threshold: null, samples: 0, needed: 400 });
});

test("another value, model, system prompt, earlier turn or tenant does not hit", async () => {
  const backend = memoryBackend();
  await using c = await cached({ backend });
  const system = (text: string, question: string) => [new SystemMessage(text), new HumanMessage(question)];
  await c.model().invoke(system("Be brief.", ASKED));
  await c.model().invoke(system("Be brief.", ELSEWHERE));
  await c.model().invoke(system("Be kind.", AGAIN));
  await c.model().invoke(AGAIN);
  await c.model().invoke([new HumanMessage("Hello"), new HumanMessage(AGAIN)]);
  await c.model({ model: "other" }).invoke(system("Be brief.", AGAIN));
  await c.model({ seed: 3 }).invoke(system("Be brief.", AGAIN));
  const other = new SemanticCache({ embeddings: embeddings(), backend, tenant: "other" });
  await c.b.model({ temperature: 0, cache: other }).invoke(system("Be brief.", AGAIN));
  expect(c.calls()).toBe(8);
  expect(mark(await c.model().invoke(system("Be brief.", AGAIN)))).toMatchObject({ source: ASKED });
});

test("a wrong hit counts, and is not given to that question again", async () => {
  await using c = await cached();
  await c.model().invoke(ASKED);
  const hit = await c.model().invoke(AGAIN);
  const { hits, wrong, samples } = c.cache.learned;
  const learned = await c.cache.rate(mark(hit), false);
  expect(learned.samples).toBe(samples + 1);
  expect(learned.threshold === null || learned.wrong >= wrong || learned.hits < hits).toBe(true);
  expect(mark(await c.model().invoke(AGAIN))).toBe(undefined);
  expect(await c.cache.rate(undefined, true)).toEqual(learned);
});

test("wrong hits take the cache back to serving nothing", async () => {
  await using c = await cached();
  await c.model().invoke("Who founded Ikea?");
  const sample = { hit: true, key: "k", asked: "a", score: 0.999 };
  for (let index = 0; index < 60; index++) await c.cache.rate(sample, false);
  expect(c.cache.learned.threshold).toBe(null);
  await c.model().invoke(ASKED);
  await c.model().invoke(AGAIN);
  expect(c.calls()).toBe(3);
});

test("it learns by itself from calls that went out, when it is told how to compare", async () => {
  const compared: string[] = [];
  await using c = await cached(
    {
      isSame: (fresh, kept) => {
        compared.push(fresh, kept);
        return true;
      },
    },
    false,
  );
  await c.model().invoke(ASKED);
  await c.model().invoke(AGAIN);
  await expect.poll(() => c.cache.learned.samples).toBe(1);
  expect(compared).toEqual([`reply 2 to ${AGAIN}`, `reply 1 to ${ASKED}`]);
});

test("what was stored and learned is there for the next program, and for another one at once", async () => {
  const backend = memoryBackend();
  let now = Date.now();
  await using c = await cached({ backend, now: () => now });
  await c.model().invoke(ASKED);
  const later = new SemanticCache({ embeddings: embeddings(), backend, now: () => now });
  expect(mark(await c.b.model({ temperature: 0, cache: later }).invoke(AGAIN))).toMatchObject({
    source: ASKED,
  });
  expect(later.learned).toEqual(c.cache.learned);
  await c.model().invoke("Who founded Ikea?");
  now += 5_000;
  expect(mark(await c.b.model({ temperature: 0, cache: later }).invoke("Who founded Ikea?"))).toBeDefined();
  expect(c.calls()).toBe(2);
});

test("pairs that are judged once count once, however often a program starts with them", async () => {
  const backend = memoryBackend();
  const start = () => new SemanticCache({ embeddings: embeddings(), backend });
  const few = judged.slice(0, 60);
  const once = await start().learn(few);
  const again = start();
  expect(await again.learn(few)).toEqual(once);
  expect(await again.learn([...few, ...judged.slice(60, 70)])).toEqual(
    await new SemanticCache({ embeddings: embeddings() }).learn(judged.slice(0, 70)),
  );
  // Judged otherwise, the newer judgement counts.
  const other = few.map((pair) => ({ ...pair, isSame: !pair.isSame }));
  expect((await start().learn(other)).samples).toBe(again.learned.samples);
  // It takes the place of the older one, which a server may list after it.
  expect((await backend.size()).entries).toBe(2);
});

test("what was learned is not driven out by replies", async () => {
  let now = Date.now();
  const backend = memoryBackend();
  const options = { embeddings: embeddings(), backend, maxEntries: 20, now: () => now };
  await using c = await cached(options, false);
  const learned = await c.cache.learn(judged);
  expect(learned.threshold).not.toBe(null);
  for (let index = 0; index < 60; index++) {
    now += 5_000;
    await c.model().invoke(`Question ${index}`);
  }
  expect((await c.cache.statistics()).evictions).toBeGreaterThan(30);
  const later = new SemanticCache(options);
  await later.explain("Human: a");
  expect(later.learned).toEqual(learned);
});

test("a question whose own reply has expired, and which another one answers, is one hit and no miss", async () => {
  let now = Date.now();
  await using c = await cached({ ttlSeconds: 60, now: () => now }, false);
  await c.model().invoke(AGAIN);
  now += 50_000;
  await c.model().invoke(ASKED);
  await c.cache.learn(judged);
  now += 10_000;
  expect(mark(await c.model().invoke(AGAIN))).toMatchObject({ source: ASKED });
  expect(await c.cache.statistics()).toMatchObject({ hits: 1, misses: 2 });
});

test("removed questions are gone, what was learned stays", async () => {
  await using c = await cached();
  await c.model().invoke(ASKED);
  expect(await c.cache.invalidate()).toBe(1);
  await c.model().invoke(AGAIN);
  expect(c.calls()).toBe(2);
  expect(c.cache.learned.threshold).not.toBe(null);
});

test("expired questions do not hit", async () => {
  let now = Date.now();
  await using c = await cached({ ttlSeconds: 60, now: () => now });
  await c.model().invoke(ASKED);
  now += 61_000;
  await c.model().invoke(AGAIN);
  expect(c.calls()).toBe(2);
  expect(await c.cache.statistics()).toMatchObject({ hits: 0, misses: 2 });
});

describe("embeddings that are away", () => {
  test("cost a miss and one warning", async () => {
    const warnings: string[] = [];
    const away = {
      embedQuery: () => Promise.reject(new Error("connect ECONNREFUSED")),
      embedDocuments: () => Promise.reject(new Error("connect ECONNREFUSED")),
    };
    await using c = await cached(
      { embeddings: away, logger: { warn: (text) => warnings.push(text) } },
      false,
    );
    for (const text of [ASKED, AGAIN, ASKED]) expect((await c.model().invoke(text)).text).toMatch("reply");
    expect(warnings).toEqual(["The embeddings' model is not used for now: connect ECONNREFUSED"]);
    await expect(c.cache.learn(judged.slice(0, 2))).rejects.toThrow("ECONNREFUSED");
  });

  test("of another length are not compared", async () => {
    const backend = memoryBackend();
    await using c = await cached({ backend });
    await c.model().invoke(ASKED);
    const short = {
      model: "minilm",
      embedQuery: async () => [1, 0],
      embedDocuments: async (texts: string[]) => texts.map(() => [1, 0]),
    };
    const other = new SemanticCache({ embeddings: short, backend });
    expect(mark(await c.b.model({ temperature: 0, cache: other }).invoke(AGAIN))).toBe(undefined);
  });
});

describe("why", () => {
  test("a question hits or misses", async () => {
    await using c = await cached();
    expect(await c.cache.explain(AGAIN)).toMatchObject({
      isHit: false,
      reason: "No question of this scope is alike.",
    });
    await c.model().invoke(ASKED);
    const hit = await c.cache.explain(AGAIN);
    expect(hit).toMatchObject({ isHit: true, candidates: [{ source: ASKED, difference: null }] });
    expect(hit.reason).toMatch(/^The score 0\.\d+ reaches the learned threshold 0\.\d+\.$/);
    expect(await c.cache.explain(ELSEWHERE)).toMatchObject({
      isHit: false,
      reason: "The most alike question is refused: names differ.",
      candidates: [{ source: ASKED, difference: "names" }],
    });
    expect((await c.cache.explain("AI: yes")).reason).toMatch("does not end with a question");
  });

  test("a question hits in its very words, or was refused its reply, or the reply is gone", async () => {
    let now = Date.now();
    const backend = memoryBackend();
    await using c = await cached({ backend, ttlSeconds: 60, now: () => now });
    const untaught = new SemanticCache({ embeddings: embeddings(), backend });
    await c.model().invoke(ASKED);
    expect(await untaught.explain(ASKED)).toMatchObject({
      isHit: true,
      reason: "The same question was answered before.",
    });
    const hit = await c.model().invoke(AGAIN);
    await c.cache.rate(mark(hit), false);
    const llmKey = c.model()._getSerializedCacheKeyParametersForCall({} as never);
    expect(await c.cache.explain(AGAIN, llmKey)).toMatchObject({ isHit: false });
    now += 60_000;
    expect(await c.cache.explain(ASKED)).toMatchObject({ isHit: false, candidates: [] });
  });

  test("nothing is served yet", async () => {
    await using c = await cached({}, false);
    await c.model().invoke(ASKED);
    expect((await c.cache.explain(AGAIN)).reason).toBe(
      "Not enough feedback (0 judged pairs, at least 400 are needed).",
    );
  });
});

test.each([0, 1, -0.1, Number.NaN])("%d is no bound", (wrongHits) => {
  expect(() => new SemanticCache({ embeddings: embeddings(), wrongHits })).toThrow(/^wrongHits is/);
});

test("agents' second steps are left to the model", async () => {
  const own = embeddings();
  await using c = await cached({ embeddings: own }, false);
  expect(await c.cache.lookup("Human: 1 + 2?\nAI: [add]\nTool: 3", '_type:"x"')).toBe(null);
  expect(own.asked()).toBe(0);
});

test("a question that is longer than embeddings read hits by equality alone, and is not embedded", async () => {
  const own = embeddings();
  await using c = await cached({ embeddings: own });
  const long = `${"Here is a line of the report. ".repeat(50)}Is it good?`;
  await c.model().invoke(long);
  expect(mark(await c.model().invoke(long))).toBeDefined();
  await c.model().invoke(long.replace("Here", "There"));
  expect(c.calls()).toBe(2);
  expect(own.asked()).toBe(0);
});

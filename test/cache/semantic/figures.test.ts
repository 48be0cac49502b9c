/** What the semantic cache reaches with real embeddings (MiniLM on Ollama 0.34.0, recorded; see record.mjs). */
import { describe, expect, test } from "vitest";
import { recordedEmbeddings } from "../../fixtures/paraphrases/embeddings.mjs";
import { pairsOf, readQuestions } from "../../fixtures/paraphrases/questions.mjs";
import { bestFixedRecall, comparedPairs, halves, heldOut } from "./paraphrases.js";

const BOUNDS = [0.005, 0.01, 0.02, 0.05];
const pairs = comparedPairs(readQuestions().flatMap(pairsOf), recordedEmbeddings());
const [seen, unseen] = halves(pairs, 1);

test("the set is large, and most of it is hard", () => {
  expect(pairs.filter(({ isSame }) => isSame).length).toBeGreaterThan(5_000);
  expect(pairs.filter(({ isSame, similarity }) => !isSame && similarity > 0.8).length).toBeGreaterThan(3_000);
});

describe.each(BOUNDS)("at a bound of %d", (bound) => {
  test("what was learned on one half keeps wrong hits on the other within it", () => {
    const { learned, hits, wrongShare, recall } = heldOut(seen, unseen, bound);
    expect(learned.threshold).not.toBeNull();
    expect(hits).toBeGreaterThan(500);
    expect(wrongShare).toBeLessThanOrEqual(bound);
    expect(recall).toBeGreaterThan(0.2);
  });

  test("and does so for nineteen of twenty other halves", () => {
    const broken = Array.from({ length: 20 }, (_, index) => {
      const [a, b] = halves(pairs, 100 + index);
      return heldOut(a, b, bound).wrongShare > bound;
    });
    expect(broken.filter(Boolean).length).toBeLessThanOrEqual(1);
  });
});

test("at 1 % it finds more than any fixed threshold on the cosine could", () => {
  expect(heldOut(seen, unseen, 0.01).recall).toBeGreaterThan(bestFixedRecall(unseen, 0.01) + 0.2);
});

test("a changed number, date or name never passes, however alike the rest is and however it is written", () => {
  const changed = pairs.filter(({ isSame, kind }) => !isSame && kind !== "question");
  expect(changed.length).toBeGreaterThan(5_000);
  expect(changed.filter(({ similarity }) => similarity > 0.9).length).toBeGreaterThan(400);
  expect(changed.filter(({ difference }) => difference === null)).toEqual([]);
});

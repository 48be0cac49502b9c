import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { differenceBetween } from "../../../src/cache/semantic/index.js";
import { askedIn } from "../../../src/cache/semantic/question.js";
import { halfHolds, learnThreshold } from "../../../src/cache/semantic/threshold.js";
import { questionTexts, readQuestions } from "../../fixtures/paraphrases/questions.mjs";
import { halves } from "./paraphrases.js";

const texts = questionTexts(readQuestions());

describe("differences that forbid a hit", () => {
  test.each([
    ["numbers", "Is 5 enough?", "Is 6 enough?"],
    ["numbers", "Does it last two weeks?", "Does it last three weeks?"],
    ["numbers", "Is -5 cold?", "Is 15 cold?"],
    ["numbers", "Is 1,000 too much?", "Is 1.000 too much?"],
    ["numbers", "What is 5 minus 3?", "What is 3 minus 5?"],
    ["numbers", "Pay $5 now?", "Pay €5 now?"],
    ["numbers", "Is 3 km far?", "Is 3 miles far?"],
    ["units", "What is the price per day?", "What is the price per week?"],
    ["dates", "Is it open on Monday?", "Is it open on Tuesday?"],
    ["dates", "Is it open in May?", "Is it open?"],
    ["dates", "Will it rain today?", "Will it rain tomorrow?"],
    ["negation", "Can I eat it?", "Can't I eat it?"],
    ["negation", "Recipes with eggs", "Recipes without eggs"],
    ["negation", "Kann ich das essen?", "Kann ich das nicht essen?"],
    ["opposites", "How do I enable it?", "How do I disable it?"],
    ["opposites", "How do I turn it on?", "How do I turn it off?"],
    ["opposites", "Which trains leave before lunch?", "Which trains leave after lunch?"],
    ["opposites", "Is it legal?", "Is it illegal?"],
    ["opposites", "How do I subscribe?", "How do I unsubscribe?"],
    ["names", "Who founded Ikea?", "Who founded Sony?"],
    ["names", "Is Python fast?", "Is Java fast?"],
    ["names", "Flights from Rome to Bonn", "Flights from Bonn to Rome"],
    ["names", "What does useMemo do?", "What does useRef do?"],
    ["names", "Open config.yaml", "Open config.json"],
    ["words", "How do I delete a column?", "How do I print a column?"],
    ["words", "is the hotel wifi safe", "is the school wifi safe"],
    ["numbers", "Is version 1.2.3 of node old?", "Is version 1.3.2 of node old?"],
    ["signs", "What is 2+2?", "What is 2-2?"],
    ["signs", "Is 5 > 3?", "Is 5 < 3?"],
    ["signs", "Is -5 degrees cold?", "Is 5 degrees cold?"],
    ["signs", "c tutorial", "c++ tutorial"],
    ["signs", "vitamin a dose", "vitamin d dose"],
    ["signs", "Is it in room 12B?", "Is it in room 12C?"],
    ["signs", "Who has Rh+ blood?", "Who has Rh- blood?"],
    ["signs", "Is 5 GB enough?", "Is 5 Gb enough?"],
    ["signs", "What does 👍 say?", "What does 👎 say?"],
    ["dates", "Did it rain?", "Will it rain?"],
    ["dates", "Who is the president?", "Who is the previous president?"],
    ["negation", "Is a tomato a fruit?", "Is a tomato barely a fruit?"],
    ["names", "Is he ill?", "Is she ill?"],
    ["names", "What do they owe us?", "What do we owe them?"],
    ["names", "Mr Smith phone", "Mrs Smith phone"],
    ["words", "Do all birds fly?", "Do some birds fly?"],
    ["words", "Can it only fly?", "Can it also fly?"],
    ["roles", "Why did the dog bite the man?", "Why did the man bite the dog?"],
    ["roles", "please convert euros to dollars", "convert dollars to euros"],
    ["roles", "flights from rome to bonn", "flights from bonn to rome"],
    ["roles", "Is gold heavier than lead?", "Is lead heavier than gold then?"],
    ["roles", "What does cancer cause?", "What causes cancer?"],
    ["roles", "Is my boss my friend?", "Is my friend my boss?"],
    ["kind of answer", "When was it founded?", "Who founded it?"],
    ["kind of answer", "Is the shop open?", "When is the shop open?"],
    ["script", "Москва большая?", "Москва большая?!"],
  ])("%s: %s / %s", (difference, a, b) => {
    expect(differenceBetween(a, b)).toBe(difference);
    expect(differenceBetween(b, a)).toBe(difference);
  });

  test.each([
    ["Do I need a visa?", "Is a visa needed?"],
    ["What is 5 km in miles?", "How many miles are 5 kilometers?"],
    ["Is two weeks enough?", "Are 2 weeks enough?"],
    ["How do I enable dark mode?", "How do I turn on dark mode?"],
    ["Who founded Ikea?", "By whom was ikea founded?"],
    ["It may rain on Monday", "on monday it may rain"],
    ["How do I boil eggs?", "How do you boil eggs?"],
    ["Can you tell me my balance?", "What is my balance?"],
  ])("none between: %s / %s", (a, b) => {
    expect(differenceBetween(a, b)).toBe(null);
  });

  test("no text differs from itself, and neither side comes first", () => {
    fc.assert(
      fc.property(fc.constantFrom(...texts), fc.constantFrom(...texts), (a, b) => {
        expect(differenceBetween(a, a)).toBe(null);
        expect(differenceBetween(a, b) === null).toBe(differenceBetween(b, a) === null);
      }),
      { numRuns: 500 },
    );
  });

  test("any text is read, whatever it holds", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 300 }), fc.string({ maxLength: 300 }), (a, b) => {
        differenceBetween(a, b);
      }),
    );
  });
});

describe("the learned threshold", () => {
  test("is none without enough feedback, and says how much is needed", () => {
    const right = (count: number) => Array.from({ length: count }, () => ({ score: 0.9, isRight: true }));
    expect(learnThreshold([], 0.01)).toEqual({ threshold: null, hits: 0, wrong: 0, samples: 0, needed: 400 });
    expect(learnThreshold(right(399), 0.01).threshold).toBe(null);
    expect(learnThreshold(right(400), 0.01).threshold).toBe(0.9);
    expect([0.005, 0.02, 0.05].map((bound) => learnThreshold([], bound).needed)).toEqual([800, 200, 80]);
  });

  test("stays above what is mostly wrong", () => {
    const samples = Array.from({ length: 2000 }, (_, index) => ({
      score: index / 2000,
      isRight: index > 1000,
    }));
    expect(learnThreshold(samples, 0.01).threshold).toBeGreaterThan(0.49);
  });

  test("breaks its bound in no more than 5 % of all cases, as promised", () => {
    // Wrong with probability (1 - score)^2: known, so that the true share above a threshold is (1 - t)^2 / 3.
    const bound = 0.02;
    const broken = Array.from({ length: 400 }, (_, run) => {
      const draws = halves(
        Array.from({ length: 2_000 }, (_, index) => index),
        run,
      );
      // Uniform scores, and judgements by a second draw of the same generator.
      let state = run * 7919 + 1;
      const random = () => {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
        return state / 2 ** 32;
      };
      const samples = draws.flat().map(() => {
        const score = random();
        return { score, isRight: random() >= (1 - score) ** 2 };
      });
      const { threshold } = learnThreshold(samples, bound);
      return threshold !== null && (1 - threshold) ** 2 / 3 > bound;
    });
    const share = broken.filter(Boolean).length / broken.length;
    expect(share).toBeLessThanOrEqual(0.05);
  });

  test("its probabilities are those of the tables", () => {
    // By hand: (C(10,0) C(10,4) + C(10,1) C(10,3)) / C(20,4) = 1410 / 4845.
    expect(halfHolds(1, 4, 10)).toBeCloseTo(0.2910217, 6);
    expect(halfHolds(20, 20, 30)).toBeCloseTo(1, 12);
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 60 }), fc.nat(60), (half, marked) => {
        fc.pre(marked <= 2 * half);
        // As many in one half as in the other, on average.
        expect(halfHolds(Math.floor((marked - 1) / 2), marked, half)).toBeLessThanOrEqual(0.5 + 1e-9);
      }),
    );
  });
});

test("the question of a prompt is its last human turn, unless something was said since", () => {
  expect(askedIn("Human: a")).toEqual({ question: "a", before: "" });
  expect(askedIn("System: s\nHuman: a\nAI: b\nHuman: c\nd")).toEqual({
    question: "c\nd",
    before: "System: s\nHuman: a\nAI: b",
  });
  expect(askedIn("plain text")).toEqual({ question: "plain text", before: "" });
  for (const prompt of ["Human: a\nAI: b", "Human: a\nTool: 1", "System: s", "Human:  "])
    expect(askedIn(prompt)).toBe(null);
});

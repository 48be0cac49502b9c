/** Names of people, places, products and things of code. */
import { SENTENCE_STARTERS } from "../wordLists.js";
import { stem, type Word } from "../words.js";

/** Written like no common word: inner capitals, figures among letters, dots, underscores; or all capitals. */
const CODE = /^(?:\p{Ll}+\p{Lu}|\p{L}+[\d_]|\d+\p{L}{3,}|\p{Lu}{2,}|.*[_/\\.]\p{L})/u;

/**
 * Names among words: capitals within a sentence, words of code, and what begins a sentence and seldom does.
 *
 * @example namesIn(wordsIn("Who founded Ikea? Use useState")) // ["ikea", "usestate"]
 */
export function namesIn(words: readonly Word[]): readonly string[] {
  return words
    .filter(({ written, text, isFirst }) => {
      if (CODE.test(written)) return true;
      if (!/^\p{Lu}/u.test(written) || text === "i") return false;
      return !isFirst || !(SENTENCE_STARTERS.has(text) || SENTENCE_STARTERS.has(stem(text)));
    })
    .map(({ text }) => text);
}

/**
 * Whether two texts name the same in the same order. What is a name in one may be written small in the other.
 *
 * @example hasSameNames(wordsIn("Is Oslo old?"), wordsIn("is oslo old")) // true
 * @example hasSameNames(wordsIn("from Rome to Bonn"), wordsIn("from Bonn to Rome")) // false
 */
export function hasSameNames(a: readonly Word[], b: readonly Word[]): boolean {
  const names = new Set([...namesIn(a), ...namesIn(b)].map(stem));
  const inOrder = (words: readonly Word[]) => {
    const found = words.map(({ text }) => stem(text)).filter((word) => names.has(word));
    // The same name twice says no more than once.
    return [...new Set(found)].join(" ");
  };
  return inOrder(a) === inOrder(b);
}

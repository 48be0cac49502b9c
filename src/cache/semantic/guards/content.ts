/** What two texts have in common word by word. */
import { FUNCTION_WORDS, NEGATIONS, SYNONYMS } from "../wordLists.js";
import { stem, type Word } from "../words.js";
import { isQuantity } from "./quantities.js";

const STANDS_FOR: ReadonlyMap<string, string> = new Map(
  SYNONYMS.flatMap((group) => group.map((word) => [stem(word), stem(group[0]!)] as const)),
);

/**
 * A word's stem, or that of the word which stands for all of its meaning.
 *
 * @example meaningOf("raised") // "increas"
 */
export function meaningOf(word: string): string {
  const stemmed = stem(word);
  return STANDS_FOR.get(stemmed) ?? stemmed;
}

/** The words that carry a text's meaning, as stems, words of one meaning as one. */
export function contentOf(words: readonly Word[]): readonly string[] {
  return words
    .filter(({ text }) => !FUNCTION_WORDS.has(text) && !NEGATIONS.has(text) && !isQuantity(text))
    .map(({ text }) => meaningOf(text));
}

/** In a long text one word changes as much as in a short one. */
const MOST_WORDS = 16;

/** Words of each text that the other one lacks. */
export interface Unmatched {
  readonly onlyA: readonly string[];
  readonly onlyB: readonly string[];
  /** Of all words of both, 0..1. */
  readonly share: number;
}

/**
 * @example unmatched(wordsIn("Cancel my booking"), wordsIn("Renew my booking")).share // 0.5
 */
export function unmatched(a: readonly Word[], b: readonly Word[]): Unmatched {
  const [inA, inB] = [new Set(contentOf(a)), new Set(contentOf(b))];
  const onlyA = [...inA].filter((word) => !inB.has(word));
  const onlyB = [...inB].filter((word) => !inA.has(word));
  const all = Math.min(inA.size + inB.size, MOST_WORDS);
  return { onlyA, onlyB, share: all === 0 ? 0 : Math.min(1, (onlyA.length + onlyB.length) / all) };
}

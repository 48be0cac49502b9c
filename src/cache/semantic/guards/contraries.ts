/** Negations and opposites. */
import { NEGATIONS, OPPOSITES } from "../wordLists.js";
import type { Word } from "../words.js";
import { meaningOf } from "./content.js";

/**
 * How often a text negates.
 *
 * @example negationsIn(wordsIn("Never eat it without salt")) // 2
 */
export function negationsIn(words: readonly Word[]): number {
  return words.filter(({ text }) => NEGATIONS.has(text)).length;
}

const BY_WORD: ReadonlyMap<string, readonly string[]> = opposites();

function opposites(): ReadonlyMap<string, readonly string[]> {
  const map = new Map<string, string[]>();
  for (const [one, other] of OPPOSITES) {
    for (const [a, b] of [
      [meaningOf(one), meaningOf(other)],
      [meaningOf(other), meaningOf(one)],
    ] as const) {
      map.set(a, [...(map.get(a) ?? []), b]);
    }
  }
  return map;
}

const CONTRARY_PREFIX = /^(?:un|in|im|il|ir|dis|non|mis|anti|de)-?/;

/**
 * A word of one text whose opposite stands in the other, and not in the same; null when there is none.
 *
 * @example oppositeIn(wordsIn("Enable it"), wordsIn("Disable it")) // "enable/disable"
 * @example oppositeIn(wordsIn("Lock it"), wordsIn("Unlock it")) // "lock/unlock"
 */
export function oppositeIn(a: readonly Word[], b: readonly Word[]): string | null {
  return oneSided(a, b) ?? oneSided(b, a);
}

/**
 * Whether a word, as {@link meaningOf} gives it, has an opposite: such a word is never an ornament.
 *
 * @example hasOpposite(meaningOf("ended")) // true
 */
export function hasOpposite(meaning: string): boolean {
  return BY_WORD.has(meaning);
}

function oneSided(a: readonly Word[], b: readonly Word[]): string | null {
  const [inA, inB] = [
    new Set(a.map(({ text }) => meaningOf(text))),
    new Set(b.map(({ text }) => meaningOf(text))),
  ];
  for (const { text } of a) {
    const word = meaningOf(text);
    if (inB.has(word)) continue;
    const against = (BY_WORD.get(word) ?? []).find((opposite) => inB.has(opposite) && !inA.has(opposite));
    if (against !== undefined) return `${text}/${b.find((other) => meaningOf(other.text) === against)!.text}`;
    const prefixed = b.find(({ text: other }) => {
      const bare = other.replace(CONTRARY_PREFIX, "");
      return bare !== other && bare.length > 2 && meaningOf(bare) === word;
    });
    if (prefixed) return `${text}/${prefixed.text}`;
  }
  return null;
}

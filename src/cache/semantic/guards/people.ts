/** Of whom a question is, and of how many. */
import type { Word } from "../words.js";

const PEOPLE: readonly (readonly [RegExp, string])[] = [
  [/\b(?:i|me|my|mine|myself|we|us|our|ours)\b/giu, "asker"],
  [/\b(?:you|your|yours)\b/giu, "other"],
  [/\b(?:he|him|his|mr)\b/giu, "he"],
  [/\b(?:she|her|hers|mrs|ms|miss)\b/giu, "she"],
  [/\b(?:they|them|their|theirs)\b/giu, "they"],
];
/** Who answers, who wants to know, and whoever does it. */
const ADDRESS =
  /\b(?:can|could|will|would|do) you (?=please|tell|show|give|explain|help|describe|name|list|say|know|recommend|suggest|write|draft|translate|find)|\b(?:tell|show|give|help|teach|let) (?:me|us)\b|\b(?:how|what|where|when|why) (?:do|can|could|should|would|must) (?:i|you|we)\b|\bi(?: would|'d)? (?:like|want|need|forgot|have|am)\b/giu;

/**
 * Whether two texts are about the same people, as far as both say it, in the same order.
 *
 * @example hasSamePeople("Is he ill?", "Is she ill?") // false
 * @example hasSamePeople("How do I do it?", "How do you do it?") // true
 */
export function hasSamePeople(a: string, b: string): boolean {
  const [inA, inB] = [peopleIn(a), peopleIn(b)];
  return inA === "" || inB === "" || inA === inB;
}

function peopleIn(text: string): string {
  const about = text.replace(/[‘’]/g, "'").replace(ADDRESS, " ");
  const found = PEOPLE.flatMap(([pattern, who]) =>
    [...about.matchAll(pattern)].map(({ index }) => ({ index, who })),
  );
  return [...new Set(found.sort((a, b) => a.index - b.index).map(({ who }) => who))].join(" ");
}

const ALL = new Set(["all", "every", "each", "both", "always", "everyone", "everything"]);
const SOME = new Set(["some", "sometimes", "any", "someone", "something"]);
const ONLY = new Set(["only", "solely", "exclusively"]);

/**
 * Whether neither text speaks of all where the other one speaks of some, or of nothing but what it names.
 *
 * @example hasSameScope(wordsIn("Do all birds fly?"), wordsIn("Do some birds fly?")) // false
 */
export function hasSameScope(a: readonly Word[], b: readonly Word[]): boolean {
  const has = (words: readonly Word[], list: ReadonlySet<string>) => words.some(({ text }) => list.has(text));
  if (has(a, ONLY) !== has(b, ONLY)) return false;
  return !(has(a, ALL) && has(b, SOME) && !has(b, ALL)) && !(has(b, ALL) && has(a, SOME) && !has(a, ALL));
}

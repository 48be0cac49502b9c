/** Differences that no similarity may hide: texts that differ in them ask for different answers. */
import { type Word, wordsIn } from "../words.js";
import { canWantTheSame } from "./asked.js";
import { unmatched } from "./content.js";
import { hasOpposite, negationsIn, oppositeIn } from "./contraries.js";
import { datesIn, hasSameTense } from "./dates.js";
import { hasSameNames } from "./names.js";
import { hasSamePeople, hasSameScope } from "./people.js";
import { quantitiesIn } from "./quantities.js";
import { hasOtherRoles } from "./roles.js";
import { signsIn } from "./signs.js";

/** What two texts differ in. */
export type Difference =
  | "script"
  | "numbers"
  | "units"
  | "signs"
  | "dates"
  | "negation"
  | "opposites"
  | "names"
  | "words"
  | "roles"
  | "kind of answer";

const same = (a: readonly string[], b: readonly string[]): boolean => a.join("\n") === b.join("\n");

/**
 * The first difference between two texts that forbids one reply for both; null when there is none. What is not
 * certain counts as a difference: then the model is asked, and nothing is lost but time. The words are English
 * ones; texts in other scripts than Latin differ always.
 *
 * @example differenceBetween("Is 5 km far?", "Are 5 miles far?") // "numbers"
 * @example differenceBetween("Do I need a visa?", "Is a visa needed?") // null
 * @example differenceBetween("Is it safe with milk?", "Is it safe without milk?") // "negation"
 */
export function differenceBetween(a: string, b: string): Difference | null {
  if (isForeign(a) || isForeign(b)) return "script";
  const [numbersA, numbersB] = [quantitiesIn(a), quantitiesIn(b)];
  if (!same(numbersA.numbers, numbersB.numbers)) return "numbers";
  if (!same(numbersA.units, numbersB.units)) return "units";
  if (!same(signsIn(a), signsIn(b))) return "signs";
  if (!same(datesIn(a), datesIn(b)) || !hasSameTense(a, b)) return "dates";
  const [wordsA, wordsB]: [readonly Word[], readonly Word[]] = [wordsIn(a), wordsIn(b)];
  if (negationsIn(wordsA) !== negationsIn(wordsB)) return "negation";
  if (oppositeIn(wordsA, wordsB) !== null) return "opposites";
  if (!hasSameNames(wordsA, wordsB) || !hasSamePeople(a, b)) return "names";
  if (!hasSameScope(wordsA, wordsB)) return "words";
  if (hasOtherRoles(wordsA, wordsB)) return "roles";
  const { onlyA, onlyB, share } = unmatched(wordsA, wordsB);
  // A word for another: the cosine of such pairs is high whatever the words are (Zhang, Baldridge, He, "PAWS:
  // Paraphrase Adversaries from Word Scrambling", NAACL 2019). Names in small letters are refused here.
  if (onlyA.length > 0 && onlyB.length > 0) return "words";
  if ([...onlyA, ...onlyB].some(hasOpposite)) return "opposites";
  return canWantTheSame(a, b, share === 0) ? null : "kind of answer";
}

const isForeign = (text: string): boolean => /[^\P{L}\p{Script=Latin}µ]/u.test(text);

/** Who does what to whom, and what is turned into what: the same words in other places. */
import { FUNCTION_WORDS } from "../wordLists.js";
import { stem, type Word } from "../words.js";
import { meaningOf } from "./content.js";

/** Between two words these say which is which. */
const DIRECTED = new Set([
  "to",
  "into",
  "in",
  "on",
  "than",
  "with",
  "over",
  "for",
  "versus",
  "vs",
  "without",
]);

/**
 * Whether two texts give the same words other parts: a word scrambling (PAWS), two words around a preposition or
 * another word that have changed places, or a question for who does something beside one for whom it is done to.
 *
 * @example hasOtherRoles(wordsIn("from Rome to Bonn"), wordsIn("from Bonn to Rome")) // true
 * @example hasOtherRoles(wordsIn("Can cats eat dogs?"), wordsIn("Will dogs eat cats?")) // true
 * @example hasOtherRoles(wordsIn("What kills it?"), wordsIn("What does it kill?")) // true
 * @example hasOtherRoles(wordsIn("At noon, is it open?"), wordsIn("Is it open at noon?")) // false
 */
export function hasOtherRoles(a: readonly Word[], b: readonly Word[]): boolean {
  if (isScrambled(a, b)) return true;
  const inB = new Set(relationsIn(b).map(([x, between, y]) => `${y} ${between} ${x}`));
  if (relationsIn(a).some((relation) => relation[0] !== relation[2] && inB.has(relation.join(" "))))
    return true;
  const [roleA, roleB] = [roleAsked(a), roleAsked(b)];
  return roleA !== null && roleB !== null && roleA !== roleB;
}

/** All words the same, and neither text is the other with its end put first. */
function isScrambled(a: readonly Word[], b: readonly Word[]): boolean {
  const [textA, textB] = [a, b].map((words) => words.map(({ text }) => stem(text)).join(" "));
  if (a.length !== b.length || textA === textB) return false;
  const sorted = (text: string) => text.split(" ").sort().join(" ");
  return sorted(textA!) === sorted(textB!) && !` ${textA} ${textA} `.includes(` ${textB} `);
}

/** Word, what stands between, word: a preposition of direction, or the only word of content. */
function relationsIn(words: readonly Word[]): [string, string, string][] {
  const relations: [string, string, string][] = [];
  const kept = words.filter(({ text }) => DIRECTED.has(text) || !FUNCTION_WORDS.has(text));
  const meanings = kept.map(({ text }) => meaningOf(text));
  for (let at = 1; at + 1 < kept.length; at++) {
    const [before, here, after] = [kept[at - 1]!.text, kept[at]!.text, kept[at + 1]!.text];
    // What follows "than" is compared by what stands before it.
    const isThan = after === "than" && at + 2 < kept.length;
    if (DIRECTED.has(before) || (DIRECTED.has(after) && !isThan)) continue;
    relations.push([
      meanings[at - 1]!,
      DIRECTED.has(here) ? here : meanings[at]!,
      meanings[isThan ? at + 2 : at + 1]!,
    ]);
  }
  return relations;
}

const ASKS_OBJECT = /^(?:what|who|whom|(?:which|how many) \S+) (?:do|does|did)\b/;
const ASKS_SUBJECT =
  /^(?:what|who|(?:which|how many) \S+) (?!(?:is|are|was|were|be|do|does|did|can|could|may|might|must|shall|should|will|would|has|have|had|of|to|in|for|on|at|not)\b)\S+ \S/;

function roleAsked(words: readonly Word[]): "subject" | "object" | null {
  const text = words.map(({ text }) => text).join(" ");
  if (ASKS_OBJECT.test(text)) return "object";
  // "What time ...", "what awk command ...": a noun stands there, and no verb behind it.
  const subject = ASKS_SUBJECT.exec(text);
  if (!subject) return null;
  return /^what \S+(?<=[^s]s) /.test(text) || /^(?:who|(?:which|how many) \S+) /.test(text)
    ? "subject"
    : null;
}
